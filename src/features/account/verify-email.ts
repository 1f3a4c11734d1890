/** Verifying the pending address by its code, and sending another code. */
import { recorded } from '../../core/audit/audited-event.ts';
import { addressSubject } from '../../core/attempt/address-subject.ts';
import { ANYBODY } from '../../core/attempt/attempts.ts';
import type { AttemptKey } from '../../core/attempt/attempts.ts';
import type { PrincipalContext } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { spendOneTime, voidOneTimes } from '../../core/one-time/one-time.ts';
import type { OneTime } from '../../core/one-time/one-time.ts';
import { hashJob, hashShare } from '../../core/password/passwords.ts';
import { advanceEpoch } from '../../core/user/user.ts';
import { verifyPendingEmail } from '../../core/user/pending-email.ts';
import type { User } from '../../core/user/user.ts';
import type { Statement } from '../../db/database.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
import { Refusal } from '../../refusal.ts';
import { ADDRESS_CODE, addressCode } from '../../core/one-time/address-code.ts';
import type { AddressSettings } from '../../core/one-time/address-code.ts';
import { userAfterChange } from './change-profile.ts';

/**
 * Sends another code to the pending address, within its limits; does nothing if no address is
 * pending. Its function throws {Refusal} overloaded, session_revoked.
 */
export function resendEmailCode(kernel: Kernel, settings: AddressSettings) {
  return async (context: PrincipalContext): Promise<void> => {
    const { pendingEmail: address } = context.principal.user;
    const canonical = address === null ? null : canonicalEmail(address);
    if (address === null || canonical === null) return;
    const { statements } = await addressCode(kernel, context, settings, {
      userId: context.principal.user.id,
      address,
      canonical,
    });
    await kernel.commit(context, statements);
  };
}

/**
 * Verifies the pending address by its code. Other accounts with the same pending address can't
 * verify it any more, and don't learn that (E02). If it replaces another address, the other
 * sessions end and the old address is notified.
 *
 * Its function throws {Refusal} invalid_code, too_many_attempts, overloaded, session_revoked.
 */
export function verifyEmail(kernel: Kernel) {
  const { db, oneTimes, emails, sessions } = kernel;

  /** @throws {Refusal} invalid_code */
  const look = async (context: PrincipalContext, code: string): Promise<OneTime> => {
    const { id } = context.principal.user;
    const newest = await oneTimes.findLatest(ADDRESS_CODE, id);
    const tried = newest === null ? null : await oneTimes.countTry(ADDRESS_CODE, newest.id);
    const job = hashJob(context, hashShare('email_code', id));
    try {
      const { ok } = await kernel.passwordHasher.verify(tried?.codeHash ?? null, code, job);
      if (ok && tried !== null) return tried;
    } catch (error) {
      if (tried !== null) await oneTimes.giveTryBack(tried.id);
      throw error;
    }
    throw new Refusal('invalid_code');
  };

  /** Any number of accounts can set the same pending address, and have codes sent to it. */
  const addressKey = ({ principal, requester }: PrincipalContext): AttemptKey => {
    const { pendingEmail } = principal.user;
    const canonical = pendingEmail === null ? null : canonicalEmail(pendingEmail);
    const subject = addressSubject(kernel, requester, canonical ?? '');
    return { purpose: 'address_code', subject, ownerUserId: null, scope: ANYBODY };
  };

  /** The consequences of replacing a verified address (G9). */
  const afterChange = (context: PrincipalContext, now: number): readonly Statement[] => {
    const { user, session } = context.principal;
    if (user.email === null) return [];
    return [
      advanceEpoch(user.id, now),
      voidOneTimes(user.id, now),
      ...sessions.end({ kind: 'others', userId: user.id, except: session.id }, 'email_changed'),
      ...emails.notify(context, { template: 'address_changed', to: user.email }),
    ];
  };

  return async (context: PrincipalContext, code: string): Promise<User> => {
    const { id } = context.principal.user;
    // Attempts are counted per code, per account over all codes (G8, L04), and per address over all
    // accounts. If one counter refuses, the attempt is uncounted in the other.
    const { value: attempt, forget } = await kernel.attempts.guard(
      { purpose: 'email_code', subject: id, ownerUserId: id, scope: ANYBODY },
      () => kernel.attempts.guard(addressKey(context), () => look(context, code)),
    );
    const { value: verified, forget: forgetAddress } = attempt;
    const canonical = verified.subject;
    if (canonical === null) throw new Refusal('invalid_code');
    const now = kernel.clock.now();
    await kernel.commit(context, [
      spendOneTime(verified.id, now, 'invalid_code'),
      verifyPendingEmail({ id, canonical, now }, 'invalid_code'),
      forget,
      forgetAddress,
      ...afterChange(context, now),
      recorded('email.verified', 'an address was verified'),
    ]);
    return userAfterChange(db, id);
  };
}
