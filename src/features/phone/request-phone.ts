/** Setting a telephone number: it is pending until its code is entered in a session of the account. */
import { recorded } from '../../core/audit/audited-event.ts';
import type { PrincipalContext } from '../../core/context.ts';
import { minutesText } from '../../core/email/emails.ts';
import type { Kernel } from '../../core/kernel.ts';
import { newCode } from '../../core/one-time/code.ts';
import { OTP_ID_BYTES, insertOneTime } from '../../core/one-time/issue.ts';
import { keepNewest } from '../../core/one-time/one-time.ts';
import { hashJob, hashShare } from '../../core/password/passwords.ts';
import type { Sms } from '../../core/sms/sms.ts';
import { setPendingPhone } from '../../core/user/pending-phone.ts';
import { randomToken } from '../../crypto/secret.ts';
import type { PhoneSettings } from './settings.ts';

export const PHONE_CODE = 'phone_verification';

export interface RequestedPhone {
  readonly otpId: string;
  readonly expiresInSeconds: number;
}

/**
 * Sends a code, whether or not another account has the number: who proves to have it learns that.
 * The verified number stays in use until then. Beyond a limit nothing is sent; the answer is the same.
 *
 * Its function throws {Refusal} invalid_request, overloaded, session_revoked.
 */
export function requestPhone(kernel: Kernel, sms: Sms, { form, ttlMs }: PhoneSettings) {
  const { random, clock, passwordHasher, commit } = kernel;
  return async (context: PrincipalContext, phone: string): Promise<RequestedPhone> => {
    const to = sms.demandPhone(phone);
    const { user } = context.principal;
    const code = newCode(random, form);
    const job = hashJob(context, hashShare('phone_code', user.id));
    const codeHash = await passwordHasher.hash(code, job);
    const now = clock.now();
    const otpId = randomToken(random, OTP_ID_BYTES);
    const queued = sms.request(context, {
      id: otpId,
      template: 'sms_phone_code',
      to,
      number: 'new',
      values: { code, code_minutes: minutesText(ttlMs) },
      ttlMs,
      accountId: user.id,
      kind: 'real',
      onlyFor: user,
    });
    const issued = insertOneTime(
      {
        id: otpId,
        purpose: PHONE_CODE,
        userId: user.id,
        subject: to.e164,
        token: null,
        codeHash,
        payloadSealed: null,
        now,
        ttlMs,
      },
      queued.outboxId,
    );
    const done = await commit(context, [
      ...queued.statements,
      issued,
      keepNewest({ userId: user.id, purpose: PHONE_CODE, keep: 1, now }),
      setPendingPhone({ id: user.id, phone: to.e164, now }),
      recorded('phone.change_requested', 'a new number is pending'),
    ]);
    queued.report(context, done);
    return { otpId, expiresInSeconds: Math.floor(ttlMs / 1000) };
  };
}
