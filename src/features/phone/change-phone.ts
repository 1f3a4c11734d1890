/** Verifying the pending number by its code, and removing the number. */
import type { PrincipalContext } from '../../core/context.ts';
import { withoutFactor } from '../../core/factor/presented.ts';
import type { Kernel } from '../../core/kernel.ts';
import { checkCode } from '../../core/one-time/check-code.ts';
import { spendOneTime } from '../../core/one-time/one-time.ts';
import type { Sms } from '../../core/sms/sms.ts';
import { removePhone, verifyPendingPhone } from '../../core/user/pending-phone.ts';
import { findUserById } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import { Refusal } from '../../refusal.ts';
import { PHONE_CODE } from './request-phone.ts';
import type { PhoneSettings } from './settings.ts';

/** As sessions record a code that was sent to it. */
const FACTOR = 'sms_code';

/** In words for an email: enough to know it again. */
const labelOf = (phone: string): string => `the telephone number ending in ${phone.slice(-3)}`;

export interface TypedPhoneCode {
  readonly otpId: string;
  readonly code: string;
}

/**
 * Makes the pending number the verified one. The other sessions end, and the user is notified by
 * email (G9, ASVS 6.3.7).
 *
 * Its function throws {Refusal} invalid_code, too_many_attempts, overloaded; phone_taken: another
 * account has verified it; conflict, session_revoked.
 */
export function verifyPhone(kernel: Kernel, sms: Sms, { form }: PhoneSettings) {
  const { clock, db, factors } = kernel;
  const check = checkCode(kernel, {
    purpose: PHONE_CODE,
    form,
    counterOf: (_sent, { principal }) => ({
      purpose: 'phone_code',
      subject: principal?.user.id ?? '',
    }),
  });
  return (context: PrincipalContext, { otpId, code }: TypedPhoneCode): Promise<User> =>
    check(context, { otpId, code }, async ({ sent, forget }) => {
      const { user, session } = context.principal;
      const { subject: phone } = sent;
      // The code is worth something only to the account that asked for it (ASVS 6.6.2).
      if (sent.userId !== user.id || phone === null) throw new Refusal('invalid_code');
      const { id } = user;
      const now = clock.now();
      await factors.change(context, {
        statements: [
          spendOneTime(sent.id, now, 'invalid_code'),
          verifyPendingPhone({ id, phone, now }),
          forget,
          ...sms.verified(sent.id),
        ],
        presented: session.factors,
        template: 'factor_added',
        label: labelOf(phone),
        factor: FACTOR,
        event: 'factor.added',
      });
      const changed = await findUserById(db, id);
      if (changed === null) throw new Refusal('session_revoked');
      return changed;
    });
}

/**
 * Removes the number, and a pending one. The other sessions end, and the user is notified.
 *
 * Its function throws {Refusal} not_found: there is none; last_sign_in_method, conflict,
 * session_revoked.
 */
export function forgetPhone({ clock, factors, signInMethods, emails }: Kernel) {
  return async (context: PrincipalContext): Promise<void> => {
    const { user, session } = context.principal;
    const { id, phone, pendingPhone } = user;
    const shown = phone ?? pendingPhone;
    if (shown === null) throw new Refusal('not_found');
    await factors.change(context, {
      statements: [
        removePhone(id, clock.now()),
        ...emails.forget(phone),
        ...(phone === null ? [] : [signInMethods.demandOne(id)]),
      ],
      presented: withoutFactor(session.factors, FACTOR),
      template: 'factor_removed',
      label: labelOf(shown),
      factor: FACTOR,
      event: 'factor.removed',
    });
  };
}
