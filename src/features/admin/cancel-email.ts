/** Taking an email back that waits for a user: a wrong address, a text that was not meant so. */
import { recorded } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import { cancelEmail as cancellation } from '../../core/email/outbox.ts';
import type { Kernel } from '../../core/kernel.ts';
import { Refusal } from '../../refusal.ts';
import { demandUser } from './change-user.ts';
import { waitingEmails } from './show-user.ts';

export interface EmailOfUser {
  readonly userId: string;
  readonly emailId: string;
}

/** Its function throws {Refusal} not_found: no such email waits for this user. */
export function cancelEmail(kernel: Kernel) {
  return async (context: Context, { userId, emailId }: EmailOfUser): Promise<void> => {
    const user = await demandUser(kernel, userId);
    const waiting = await waitingEmails(kernel, user);
    const found = waiting.find(({ id }) => id === emailId);
    if (found === undefined) throw new Refusal('not_found');
    const record = recorded('letter.cancelled', 'an operator took an email back', {
      'user.id': userId,
      letter: found.template,
    });
    await kernel.commit(context, [cancellation(emailId, kernel.clock.now()), record]);
  };
}
