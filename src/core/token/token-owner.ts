/** The session of a token, for ending it: an expired refresh token is accepted. */
import { Refusal } from '../../refusal.ts';
import { isUserClaims } from './access-claims.ts';
import { TokenRefused } from './access-token.ts';
import type { AccessTokens } from './access-token.ts';
import type { InternalKeys } from './internal-token.ts';
import { verifyRefreshToken } from './refresh-token.ts';

export type TokenOwner =
  | { readonly kind: 'session'; readonly sessionId: string; readonly userId: string }
  /** A service's own token, which has no session. */
  | { readonly kind: 'service' }
  /** Not a live token of this service. */
  | { readonly kind: 'nobody' };

export interface TokenOwnerDeps {
  readonly signingKeys: InternalKeys;
  readonly accessTokens: Pick<AccessTokens, 'inspect'>;
  readonly issuer: string;
}

/** A refresh token counts at any age, an access token of any audience while it lives. */
export function tokenOwner(
  { signingKeys, accessTokens, issuer }: TokenOwnerDeps,
  token: string,
): TokenOwner {
  try {
    const { sessionId, userId } = verifyRefreshToken(signingKeys, issuer, token);
    return { kind: 'session', sessionId, userId };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
  try {
    const claims = accessTokens.inspect(token);
    if (!isUserClaims(claims)) return { kind: 'service' };
    return { kind: 'session', sessionId: claims.sid, userId: claims.sub };
  } catch (error) {
    if (!(error instanceof TokenRefused)) throw error;
    return { kind: 'nobody' };
  }
}
