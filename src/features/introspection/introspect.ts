/** What a token is, and whether it is good at this moment (RFC 7662). */
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { isUserClaims } from '../../core/token/access-claims.ts';
import type { TokenClaims } from '../../core/token/access-claims.ts';
import { TokenRefused } from '../../core/token/access-token.ts';

/**
 * The claims of a living access token, or null: expired, of an ended session, of a user who is
 * disabled or gone, of a revoked API key, or no access token of this service at all.
 */
export function introspect({ accessTokens, sessions, apiKeys }: Kernel) {
  const claimsOf = (token: string): TokenClaims | null => {
    try {
      return accessTokens.inspect(token);
    } catch (error) {
      if (error instanceof TokenRefused) return null;
      throw error;
    }
  };
  return async (_context: Context, token: string): Promise<TokenClaims | null> => {
    const claims = claimsOf(token);
    if (claims === null) return null;
    const holder = isUserClaims(claims)
      ? await sessions.find(claims.sid, claims.sub)
      : await apiKeys.find(claims.sub);
    return holder === null ? null : claims;
  };
}
