/** Claim names that an operator's claims can't use. */

/**
 * Claims that mean something to us or to RFC 7519/9068: an administrator's `claims` can't put
 * others in their place.
 */
const REGISTERED: ReadonlySet<string> = new Set([
  'iss',
  'sub',
  'aud',
  'exp',
  'nbf',
  'iat',
  'jti',
  'sid',
  'client_id',
  'auth_time',
  'amr',
  'acr',
  'azp',
  'nonce',
  'scope',
  'cnf',
  'act',
  'may_act',
  'typ',
  'gen',
  'status',
  'events',
  'preferred_username',
  'name',
  'email',
  'email_verified',
  '__proto__',
  'constructor',
  'prototype',
]);

export function isRegisteredClaim(name: string): boolean {
  return REGISTERED.has(name);
}
