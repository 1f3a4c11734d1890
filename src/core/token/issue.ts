/**
 * The tokens of a session, minted in one place: the way in, the rotation and the renewed
 * authentication call it, and nothing else may import it.
 */
import type { AuthenticationDeps } from '../factor/authentication-deps.ts';
import { profileClaims } from '../user/profile-claims.ts';
import { mintRefreshToken } from './refresh-token.ts';
import { endsAt } from '../session/session.ts';
import type { Session } from '../session/session.ts';
import type { User } from '../user/user.ts';

export interface Authenticated {
  readonly status: 'authenticated';
  readonly token_type: 'Bearer';
  readonly access_token: string;
  /** Seconds. */
  readonly expires_in: number;
  readonly refresh_token: string;
  /** Seconds until it ends unused. */
  readonly refresh_token_expires_in: number;
  readonly session_id: string;
  readonly device_token?: string;
  /** Milliseconds; when the policy asks for a second factor that the user has yet to enrol. */
  readonly mfa_due_at?: number;
}

type TokenSession = Pick<
  Session,
  'id' | 'generation' | 'rotatedAt' | 'authTime' | 'lastUsedAt' | 'expiresAt' | 'amr'
>;

/** What a sign-in, a rotation or a renewed authentication answers. */
export function authenticated(
  deps: AuthenticationDeps,
  user: User,
  session: TokenSession,
): Authenticated {
  const { issuer, sessions } = deps.policy;
  const end = endsAt(sessions, session);
  const now = deps.clock.now();
  return {
    status: 'authenticated',
    token_type: 'Bearer',
    access_token: deps.accessTokens.mint({
      userId: user.id,
      sessionId: session.id,
      authTime: session.authTime,
      sessionEndsAt: session.expiresAt,
      amr: session.amr,
      profile: profileClaims(deps.policy.profileClaims, user),
      claims: user.claims,
    }),
    expires_in: Math.max(
      1,
      Math.min(deps.accessTokens.ttlSeconds, Math.floor((session.expiresAt - now) / 1000)),
    ),
    refresh_token: mintRefreshToken(deps.keys, issuer, {
      sessionId: session.id,
      userId: user.id,
      generation: session.generation,
      rotatedAt: session.rotatedAt,
      authTime: session.authTime,
      endsAt: end,
    }),
    refresh_token_expires_in: Math.max(0, Math.floor((end - now) / 1000)),
    session_id: session.id,
  };
}
