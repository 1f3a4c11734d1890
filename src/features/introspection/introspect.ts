/** Introspects a token: its claims, if it is valid now (RFC 7662). */
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { isUserClaims } from '../../core/token/access-claims.ts';
import type { TokenClaims } from '../../core/token/access-claims.ts';
import { TokenRefused } from '../../core/token/access-token.ts';
import { actorIds } from '../../core/token/actor.ts';

/**
 * The claims of a live access token; null if it is expired, belongs to an ended session or a
 * disabled or deleted user, was obtained with a revoked API key, or is not an access token of this
 * service.
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
    if (holder === null) return null;
    for (const id of actorIds(claims['act'])) if ((await apiKeys.find(id)) === null) return null;
    return claims;
  };
}
