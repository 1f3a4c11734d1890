/**
 * Sessions for features: starting, finding, listing and ending them, within the configured limits.
 */
import type { Database } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Context } from '../context.ts';
import type { PresentedFactor } from '../factor/presented.ts';
import type { User } from '../user/user.ts';
import { endSessions, findPrincipal, listSessions } from './session.ts';
import { startSession } from './start.ts';
import type { StartedSession } from './start.ts';
import type {
  EndReason,
  EndSessions,
  Principal,
  Session,
  SessionLimits,
  SessionSelection,
} from './session.ts';

export interface Sessions {
  /** The statements that start a session of this user, in the state in which it was verified. */
  start(
    context: Context,
    who: { readonly user: User; readonly factors: readonly PresentedFactor[] },
  ): StartedSession;
  /** The statements that end sessions; the first returns a row for each. */
  end(selection: SessionSelection, reason: EndReason): EndSessions;
  /**
   * The user and the live session of a token; null when it ended or its user is disabled or
   * deleted.
   */
  find(sessionId: string, userId: string): Promise<Principal | null>;
  /** The user's sessions that can still be refreshed, the most recently used first. */
  list(userId: string): Promise<readonly Session[]>;
}

export interface SessionsDeps {
  readonly db: Pick<Database, 'read'>;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly limits: SessionLimits;
}

export function createSessions({ db, clock, newId, limits }: SessionsDeps): Sessions {
  return {
    start: ({ requester }, { user, factors }) =>
      startSession(limits, { id: newId(), user, factors, requester, now: clock.now() }),
    end: (selection, reason) => endSessions(selection, reason, clock.now()),
    find: (sessionId, userId) => findPrincipal(db, { sessionId, userId, now: clock.now() }),
    list: (userId) => {
      const now = clock.now();
      return listSessions(db, { userId, now, idleSince: now - limits.idleTtlMs });
    },
  };
}
