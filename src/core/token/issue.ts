/**
 * Mints the tokens of a session, in one place: only sign-in, rotation and reauthentication may
 * import it.
 */
import type { Clock } from '../../lib/clock.ts';
import { endsAt } from '../session/session.ts';
import type { Session, SessionLimits } from '../session/session.ts';
import type { User } from '../user/user.ts';
import type { Context } from '../context.ts';
import { sessionClaims } from './access-token.ts';
import type { AccessTokens } from './access-token.ts';
import { userClaims } from './audience.ts';
import type { Audiences } from './audience.ts';
import type { InternalKeys } from './internal-token.ts';
import { mintRefreshToken } from './refresh-token.ts';
import type { StatusLists } from './status-list.ts';

export interface IssuedTokens {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
  readonly refreshToken: string;
  /** When it ends if it is not used. */
  readonly refreshTokenExpiresInSeconds: number;
  readonly sessionId: string;
}

/** A session as its tokens describe it. */
export type TokenSession = Pick<
  Session,
  | 'id'
  | 'generation'
  | 'rotatedAt'
  | 'authTime'
  | 'lastUsedAt'
  | 'expiresAt'
  | 'factors'
  | 'statusIndex'
>;

/**
 * Mints the tokens of a sign-in, rotation or reauthentication, for the audience that the request
 * named.
 */
export type IssueTokens = (
  context: Pick<Context, 'audience'>,
  user: User,
  session: TokenSession,
) => IssuedTokens;

export interface IssueDeps {
  readonly clock: Clock;
  readonly accessTokens: AccessTokens;
  readonly signingKeys: InternalKeys;
  readonly issuer: string;
  readonly limits: SessionLimits;
  readonly audiences: Audiences;
  readonly statusLists: Pick<StatusLists, 'claim'>;
}

export function createIssue(deps: IssueDeps): IssueTokens {
  const { clock, accessTokens, signingKeys, issuer, limits } = deps;
  const { own } = deps.audiences;
  return ({ audience }, user, session) => {
    const end = endsAt(limits, session);
    const now = clock.now();
    const { id: sessionId, authTime, factors } = session;
    const status = deps.statusLists.claim(session.statusIndex);
    const scope = audience === null ? '' : audience.scopes.join(' ');
    const { token, expiresInSeconds } = accessTokens.mint({
      aud: audience?.name ?? own.name,
      sub: user.id,
      clientId: own.name,
      ttlMs: audience?.ttlMs ?? own.ttlMs,
      notAfter: session.expiresAt,
      claims: Object.assign(
        sessionClaims({ sessionId, authTime, factors, anonymousAt: user.anonymousAt }),
        status === undefined ? null : { status },
        scope === '' ? null : { scope },
        userClaims(user, own, audience),
      ),
    });
    return {
      accessToken: token,
      expiresInSeconds,
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
