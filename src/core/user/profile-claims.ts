/**
 * The claims about a user that access tokens contain if the configuration lists them; never an
 * unverified address.
 */
import type { User } from './user.ts';

export type ProfileClaim = 'preferred_username' | 'name' | 'email' | 'email_verified';

/** @see https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims */
export function profileClaims(names: readonly ProfileClaim[], user: User): Record<string, unknown> {
  const claims: Record<string, unknown> = {};
  for (const name of names) {
    switch (name) {
      case 'preferred_username':
        if (user.username !== null) claims[name] = user.username;
        break;
      case 'name':
        if (user.displayName !== null) claims[name] = user.displayName;
        break;
      case 'email':
        if (user.email !== null) claims[name] = user.email;
        break;
      case 'email_verified':
        if (user.email !== null) claims[name] = true;
        break;
    }
  }
  return claims;
}
