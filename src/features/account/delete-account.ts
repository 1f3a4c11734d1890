/** Deleting one's own account. */
import { recorded } from '../../core/audit/audited-event.ts';
import { erasePersonal } from '../../core/audit/erase.ts';
import type { PrincipalContext } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { deleteUser } from '../../core/user/user.ts';

/**
 * Deletes the account with everything that belongs to it, including unsent emails; this service
 * refuses its access tokens at once.
 *
 * Its function throws {Refusal} session_revoked.
 */
export function deleteAccount({ commit, sessions, emails }: Kernel) {
  return async (context: PrincipalContext): Promise<void> => {
    const { id, email, phone } = context.principal.user;
    const ended = sessions.end({ kind: 'all', userId: id }, 'user_deleted');
    await commit(context, [
      ...ended,
      ...emails.forget(email),
      ...emails.forget(phone),
      deleteUser(id),
      recorded('user.deleted', 'an account was deleted by its user'),
      // With the address that this request came from.
      erasePersonal(id),
    ]);
  };
}
