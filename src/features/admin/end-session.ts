/** Ending one session of a user. */
import { recordedIfChanged } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { Refusal } from '../../refusal.ts';

export interface SessionOfUser {
  readonly userId: string;
  readonly sessionId: string;
}

/** Its function throws {Refusal} not_found: the user has no such session, or it has ended. */
export function endSession({ commit, sessions }: Kernel) {
  return async (context: Context, { userId, sessionId }: SessionOfUser): Promise<void> => {
    const [ended, ...rest] = sessions.end({ kind: 'one', sessionId, userId }, 'operator');
    const record = recordedIfChanged('session.ended', 'an operator ended a session', {
      'user.id': userId,
      'session.id': sessionId,
      reason: 'operator',
    });
    const done = await commit(context, [ended, record, ...rest]);
    if (done.rowsOf(ended).length === 0) throw new Refusal('not_found');
  };
}
