/** Claim names that operators can't set. */

/**
 * Claims with a meaning to this service or in RFC 7519 and RFC 9068: an operator's `claims` can't
 * override them.
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
