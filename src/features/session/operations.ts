/**
 * Ending sessions: this one, another one, all of them. Each is idempotent, and each acts here at
 * once.
 */
import type { App } from '../../app/capabilities.ts';
import { Refusal } from '../../refusal.ts';
import { TokenRefused } from '../../core/token/access-token.ts';
import { verifyRefreshToken } from '../../core/token/refresh-token.ts';
import type { Requester } from '../../core/session/requester.ts';
import { endSessions, writeEndings } from '../../core/session/session.ts';
import type { Principal } from '../../core/session/session.ts';

/**
 * Which session a token is of: a refresh token whatever its age, or an access token that came as a
 * bearer.
 */
function sessionOf(
  app: App,
  token: string,
  mayBeAccess: boolean,
): { sessionId: string; userId: string } {
  try {
    return verifyRefreshToken(app.keys, app.policy.issuer, token);
  } catch (error) {
    if (!mayBeAccess || !(error instanceof Refusal)) throw error;
  }
  try {
    const { sid, sub } = app.accessTokens.verify(token);
    return { sessionId: sid, userId: sub };
  } catch (error) {
    // An ended session's token signs out of nothing, and that is what was asked for.
    if (error instanceof TokenRefused && error.fault !== 'session_revoked')
      throw new Refusal('invalid_token', { cause: error });
    if (error instanceof TokenRefused) return { sessionId: '', userId: '' };
    throw error;
  }
}

/**
 * Signs out the session of a token. A session that has ended already is as good as one that ends
 * now.
 *
 * @throws {Refusal} invalid_token: it is no token of this service
 */
export async function signOut(
  app: App,
  token: string,
  mayBeAccess: boolean,
  requester: Requester,
): Promise<void> {
  const { sessionId, userId } = sessionOf(app, token, mayBeAccess);
  const [ended] = await writeEndings(
    app,
    endSessions({ kind: 'one', sessionId, userId }, 'logout', app.clock.now()),
  );
  if (ended !== undefined && ended.length > 0) {
    app.log.write('info', 'session.ended', 'a session was signed out', {
      request_id: requester.requestId,
      'user.id': userId,
      'session.id': sessionId,
      reason: 'logout',
    });
  }
}

/** Ends every session of the user. */
export async function signOutEverywhere(
  app: App,
  principal: Principal,
  requester: Requester,
): Promise<void> {
  const { user } = principal;
  const [ended] = await writeEndings(
    app,
    endSessions({ kind: 'all', userId: user.id }, 'logout_all', app.clock.now()),
  );
  app.log.write('info', 'session.ended', 'all sessions of a user were signed out', {
    request_id: requester.requestId,
    'user.id': user.id,
    reason: 'logout_all',
    count: ended?.length ?? 0,
  });
}

/**
 * Ends one of the user's own sessions.
 *
 * @throws {Refusal} not_found: also for another user's
 */
export async function removeSession(
  app: App,
  principal: Principal,
  sessionId: string,
  requester: Requester,
): Promise<void> {
  const { user } = principal;
  const [ended] = await writeEndings(
    app,
    endSessions({ kind: 'one', sessionId, userId: user.id }, 'session_removed', app.clock.now()),
  );
  if (ended === undefined || ended.length === 0) throw new Refusal('not_found');
  app.log.write('info', 'session.ended', 'a user ended a session', {
    request_id: requester.requestId,
    'user.id': user.id,
    'session.id': sessionId,
    reason: 'session_removed',
  });
}
