/**
 * Ending sessions: the current one, another one, all of them. Each is idempotent, and applies at
 * once.
 */
import { recordedIfChanged, recording } from '../../core/audit/audited-event.ts';
import type { Context, PrincipalContext } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { TokenRefused } from '../../core/token/access-token.ts';
import { verifyRefreshToken } from '../../core/token/refresh-token.ts';
import { Refusal } from '../../refusal.ts';

export interface SignOut {
  readonly token: string;
  /** Which tokens are accepted: an access token only as a bearer token. */
  readonly accepts: 'refresh_tokens' | 'any_token';
}

interface TokenOwner {
  readonly sessionId: string;
  readonly userId: string;
}

/**
 * The session of a token: a refresh token at any age, or an access token; null for the access token
 * of an ended session.
 *
 * @throws {Refusal} invalid_token: it is not a token of this service
 */
function ownerOf(
  { signingKeys, issuer, accessTokens }: Kernel,
  { token, accepts }: SignOut,
): TokenOwner | null {
  try {
    return verifyRefreshToken(signingKeys, issuer, token);
  } catch (error) {
    if (accepts === 'refresh_tokens' || !(error instanceof Refusal)) throw error;
  }
  try {
    const { sid, sub } = accessTokens.verify(token);
    return { sessionId: sid, userId: sub };
  } catch (error) {
    if (!(error instanceof TokenRefused)) throw error;
    if (error.fault === 'session_revoked') return null;
    throw new Refusal('invalid_token', { cause: error });
  }
}

/**
 * Signs out the session of a token; succeeds too if the session has already ended. Its function
 * throws {Refusal} invalid_token.
 */
export function signOut(kernel: Kernel) {
  return async (context: Context, input: SignOut): Promise<void> => {
    const owner = ownerOf(kernel, input);
    if (owner === null) return;
    const [ended, ...rest] = kernel.sessions.end({ kind: 'one', ...owner }, 'logout');
    const record = recordedIfChanged('session.ended', 'a session was signed out', {
      'user.id': owner.userId,
      'session.id': owner.sessionId,
      reason: 'logout',
    });
    await kernel.commit(context, [ended, record, ...rest]);
  };
}

/** Ends every session of the user. */
export function signOutEverywhere({ commit, sessions }: Kernel) {
  return async (context: PrincipalContext): Promise<void> => {
    const { user } = context.principal;
    const ended = sessions.end({ kind: 'all', userId: user.id }, 'logout_all');
    const record = recording({
      level: 'info',
      name: 'session.ended',
      message: 'all sessions of a user were signed out',
      fields: { reason: 'logout_all' },
      when: 'always',
      afterwards: (done) => ({ count: done.rowsOf(ended[0]).length }),
    });
    await commit(context, [...ended, record]);
  };
}

/**
 * Ends one of the user's own sessions. Its function throws {Refusal} not_found: also for another
 * user's.
 */
export function removeSession({ commit, sessions }: Kernel) {
  return async (context: PrincipalContext, sessionId: string): Promise<void> => {
    const { user } = context.principal;
    const selection = { kind: 'one', sessionId, userId: user.id } as const;
    const [ended, ...rest] = sessions.end(selection, 'session_removed');
    const record = recordedIfChanged('session.ended', 'a user ended a session', {
      'session.id': sessionId,
      reason: 'session_removed',
    });
    const done = await commit(context, [ended, record, ...rest]);
    if (done.rowsOf(ended).length === 0) throw new Refusal('not_found');
  };
}
