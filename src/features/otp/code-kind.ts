/** Sign-in codes: what a code that came back has proven, and which counter covers its guesses. */
import { keyedHash } from '../../crypto/keyed-hash.ts';
import type { PresentedFactor } from '../../core/factor/presented.ts';
import type { Kernel } from '../../core/kernel.ts';
import type { CodeKind } from '../../core/one-time/check-code.ts';
import type { OneTime } from '../../core/one-time/one-time.ts';
import type { OtpSettings } from './settings.ts';

export const SIGN_IN_CODE = 'sign_in';

export const PRESENTED_EMAIL: PresentedFactor = {
  factor: 'email_code',
  kind: 'mailbox',
  amr: ['otp'],
};

/** RFC 8176: `sms` is a confirmation by text message to a registered number. */
export const PRESENTED_SMS: PresentedFactor = { factor: 'sms_code', kind: 'phone', amr: ['sms'] };

/** Whether a code was sent to a number: no address begins like one. */
export const isToNumber = ({ subject }: Pick<OneTime, 'subject'>): boolean =>
  subject?.startsWith('+') === true;

export const presentedBy = (sent: Pick<OneTime, 'subject'>): PresentedFactor =>
  isToNumber(sent) ? PRESENTED_SMS : PRESENTED_EMAIL;

export function signInCodes(
  { signingKeys }: Pick<Kernel, 'signingKeys'>,
  { form }: Pick<OtpSettings, 'form'>,
): CodeKind {
  return {
    purpose: SIGN_IN_CODE,
    form,
    counterOf: ({ subject }) => ({
      purpose: 'sign_in_code',
      subject: keyedHash(signingKeys.derivedKey, 'sign-in code', subject ?? ''),
    }),
  };
}
