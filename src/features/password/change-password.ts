/** Changing one's own password. */
import { recorded } from '../../core/audit/audited-event.ts';
import type { PrincipalContext } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { voidOneTimes } from '../../core/one-time/one-time.ts';
import { findPassword, replacePassword } from '../../core/password/credential.ts';
import { hashJob, hashShare } from '../../core/password/passwords.ts';
import { notePasswordSet } from '../../core/user/user.ts';
import { dropPendingAddress } from '../../core/user/pending-email.ts';
import { invalidRequest } from '../../refusal.ts';
import { addPassword } from './add-password.ts';

export interface PasswordChange {
  readonly currentPassword: string | undefined;
  readonly newPassword: string;
}

const POINTER = '/new_password';

/**
 * Changes the password, or adds one to an account that has none. The other sessions end, and
 * everything begun with the old one is void.
 *
 * Its function throws {Refusal} invalid_credentials, invalid_request, conflict, too_many_attempts,
 * overloaded, session_revoked; insufficient_user_authentication for a user who has a second factor
 * or no password.
 */
export function changePassword(kernel: Kernel) {
  const { passwords, sessions, emails } = kernel;
  const add = addPassword(kernel);
  return async (
    context: PrincipalContext,
    { currentPassword, newPassword }: PasswordChange,
  ): Promise<void> => {
    const { user, session } = context.principal;
    if (currentPassword === undefined) {
      if ((await findPassword(kernel.db, user.id)) === null) return add(context, newPassword);
      const detail = 'Send the current password.';
      throw invalidRequest({ pointer: '/current_password', code: 'required', detail });
    }
    // The password is only one of two factors: a session that is not fresh does not prove the
    // other.
    if (await kernel.factors.hasSecond(user.id)) {
      await kernel.reauthentication.demandFresh(context.principal, session.authTime / 1000);
    }
    const password = await passwords.accept(newPassword, user, POINTER);
    const share = hashShare('password', user.id);
    // A counter of the session's own, so that strangers can't lock the session out of its account.
    const { value, forget } = await kernel.attempts.guard(
      {
        purpose: 'password',
        subject: user.id,
        ownerUserId: user.id,
        scope: { kind: 'session', id: session.id },
      },
      () => passwords.look(context, user, currentPassword, share),
    );
    const { storedHash } = value;
    const reuse = { userId: user.id, storedHash, password, pointer: POINTER };
    await passwords.refuseFormer(context, reuse);
    const next = await kernel.passwordHasher.hash(password, hashJob(context, share));
    const now = kernel.clock.now();
    await kernel.commit(context, [
      ...passwords.remember(user.id, now),
      // Replaces only the hash that was verified: of two concurrent changes one succeeds.
      replacePassword({ userId: user.id, seen: storedHash, next, now }),
      notePasswordSet(user.id, now),
      voidOneTimes(user.id, now),
      ...dropPendingAddress(user, now),
      ...emails.notify(context, { template: 'password_changed', to: user.email }),
      forget,
      ...sessions.end({ kind: 'others', userId: user.id, except: session.id }, 'password_changed'),
      recorded('password.changed', 'a password was changed'),
    ]);
  };
}
