/** Ending one session of a user. */
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
    const ended = sessions.end({ kind: 'one', sessionId, userId }, 'operator');
    const done = await commit(context, ended);
    if (done.rowsOf(ended[0]).length === 0) throw new Refusal('not_found');
    context.log.write('info', 'session.ended', 'an operator ended a session', {
      'user.id': userId,
      'session.id': sessionId,
      reason: 'operator',
    });
  };
}
