/** Setting a new password by a reset link. */
import { recorded } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { spendOneTime, voidOneTimes } from '../../core/one-time/one-time.ts';
import type { OneTime } from '../../core/one-time/one-time.ts';
import { findPassword, setPassword } from '../../core/password/credential.ts';
import { hashJob, hashShare } from '../../core/password/passwords.ts';
import { findUserById, notePasswordSet } from '../../core/user/user.ts';
import { dropPendingAddress, verifyPendingEmail } from '../../core/user/pending-email.ts';
import type { Statement } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';

/** A reset link that is still valid. */
interface LiveReset extends OneTime {
  readonly userId: string;
}

/** @throws {Refusal} token_spent_or_expired */
async function findReset({ oneTimes }: Kernel, token: string): Promise<LiveReset> {
  const reset = await oneTimes.findByToken('password_reset', token);
  if (reset === null || reset.userId === null) throw new Refusal('token_spent_or_expired');
  return { ...reset, userId: reset.userId };
}

/** An invitation came to the address that the account is for, so that using it verifies it. */
function invitedAddress({ userId, subject }: LiveReset, now: number): readonly Statement[] {
  if (subject === null) return [];
  const address = { id: userId, canonical: subject, now };
  return [verifyPendingEmail(address, 'token_spent_or_expired')];
}

/** Checks whether a link is still valid. Its function throws {Refusal} token_spent_or_expired. */
export function checkReset(kernel: Kernel) {
  return async (_context: Context, token: string): Promise<void> => {
    await findReset(kernel, token);
  };
}

export interface Reset {
  readonly token: string;
  readonly password: string;
}

/**
 * Sets a new password with a reset link. Every session ends, and everything pending is void; it
 * does not sign in, and does not replace a second factor.
 *
 * Its function throws {Refusal} token_spent_or_expired, invalid_request (the link stays valid),
 * overloaded.
 */
export function resetPassword(kernel: Kernel) {
  const { db, passwords, sessions, emails } = kernel;
  return async (context: Context, input: Reset): Promise<void> => {
    const reset = await findReset(kernel, input.token);
    const user = await findUserById(db, reset.userId);
    if (user === null || user.disabledAt !== null) throw new Refusal('token_spent_or_expired');
    const userId = user.id;
    const password = await passwords.accept(input.password, user, '/password');
    const storedHash = (await findPassword(db, userId))?.passwordHash ?? null;
    const reuse = { userId, storedHash, password, pointer: '/password' };
    await passwords.refuseFormer(context, reuse);
    const job = hashJob(context, hashShare('password', userId));
    const passwordHash = await kernel.passwordHasher.hash(password, job);
    const now = kernel.clock.now();
    await kernel.commit(context, [
      spendOneTime(reset.id, now, 'token_spent_or_expired'),
      ...passwords.remember(userId, now),
      setPassword({ userId, passwordHash, now }),
      notePasswordSet(userId, now),
      voidOneTimes(userId, now),
      ...invitedAddress(reset, now),
      kernel.signInMethods.settle(userId),
      ...dropPendingAddress(user, now),
      kernel.attempts.forgetPurpose(userId, 'password'),
      ...sessions.end({ kind: 'all', userId }, 'password_changed'),
      ...emails.notify(context, { template: 'password_changed', to: user.email }),
      recorded('password.reset', 'a password was reset', { 'user.id': userId }),
    ]);
  };
}
