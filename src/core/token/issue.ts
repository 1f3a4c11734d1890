/**
 * The tokens of a session, minted in one place: the sign-in, the rotation and the renewed
 * authentication use it, and nothing else may import it.
 */
import type { Clock } from '../../lib/clock.ts';
import { endsAt } from '../session/session.ts';
import type { Session, SessionLimits } from '../session/session.ts';
import { profileClaims } from '../user/profile-claims.ts';
import type { ProfileClaim } from '../user/profile-claims.ts';
import type { User } from '../user/user.ts';
import type { AccessTokens } from './access-token.ts';
import type { InternalKeys } from './internal-token.ts';
import { mintRefreshToken } from './refresh-token.ts';

export interface IssuedTokens {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
  readonly refreshToken: string;
  /** Until it ends unused. */
  readonly refreshTokenExpiresInSeconds: number;
  readonly sessionId: string;
}

/** A session as tokens speak of it. */
export type TokenSession = Pick<
  Session,
  'id' | 'generation' | 'rotatedAt' | 'authTime' | 'lastUsedAt' | 'expiresAt' | 'factors'
>;

/** Mints what a sign-in, a rotation or a renewed authentication answers. */
export type IssueTokens = (user: User, session: TokenSession) => IssuedTokens;

export interface IssueDeps {
  readonly clock: Clock;
  readonly accessTokens: AccessTokens;
  readonly signingKeys: InternalKeys;
  readonly issuer: string;
  readonly limits: SessionLimits;
  readonly profileClaims: readonly ProfileClaim[];
}

export function createIssue(deps: IssueDeps): IssueTokens {
  const { clock, accessTokens, signingKeys, issuer, limits } = deps;
  return (user, session) => {
    const end = endsAt(limits, session);
    const now = clock.now();
    const sessionSeconds = Math.floor((session.expiresAt - now) / 1000);
    return {
      accessToken: accessTokens.mint({
        userId: user.id,
        sessionId: session.id,
        authTime: session.authTime,
        sessionEndsAt: session.expiresAt,
        factors: session.factors,
        profile: profileClaims(deps.profileClaims, user),
        claims: user.claims,
      }),
      expiresInSeconds: Math.max(1, Math.min(accessTokens.ttlSeconds, sessionSeconds)),
      refreshToken: mintRefreshToken(signingKeys, issuer, {
        sessionId: session.id,
        userId: user.id,
        generation: session.generation,
        rotatedAt: session.rotatedAt,
        authTime: session.authTime,
        endsAt: end,
      }),
      refreshTokenExpiresInSeconds: Math.max(0, Math.floor((end - now) / 1000)),
      sessionId: session.id,
    };
  };
}
