/** Deleting a user, with everything that belongs to one. */
import { erasePersonal } from '../../core/audit/erase.ts';
import { recorded } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import { guarded } from '../../core/guards.ts';
import type { Kernel } from '../../core/kernel.ts';
import { deleteUser as deletion } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';

/** Its function throws {Refusal} not_found: somebody else deleted it first. */
export function deleteUser({ commit, sessions, emails }: Kernel) {
  return async (context: Context, { id, email, phone }: User): Promise<void> => {
    const ended = sessions.end({ kind: 'all', userId: id }, 'user_deleted');
    const event = { 'user.id': id };
    await commit(context, [
      ...ended,
      ...emails.forget(email),
      ...emails.forget(phone),
      guarded(deletion(id), 'not_found'),
      erasePersonal(id),
      recorded('user.deleted', 'an account was deleted by an operator', event),
    ]);
  };
}
