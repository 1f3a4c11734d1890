/** A code to the verified address or number as a sign-in method, presented again in a session. */
import * as z from 'zod';
import type { PresentedFactor } from '../../core/factor/presented.ts';
import type { PresentedAgain, SignInMethod } from '../../core/factor/sign-in-methods.ts';
import type { Kernel } from '../../core/kernel.ts';
import { checkCode } from '../../core/one-time/check-code.ts';
import { spendOneTime } from '../../core/one-time/one-time.ts';
import type { Sms } from '../../core/sms/sms.ts';
import { hasVerifiedEmail } from '../../core/user/pending-email.ts';
import { hasVerifiedPhone } from '../../core/user/pending-phone.ts';
import { shortCodeText, tokenText } from '../../http/fields.ts';
import { Refusal } from '../../refusal.ts';
import { PRESENTED_EMAIL, PRESENTED_SMS, presentedBy, signInCodes } from './code-kind.ts';
import type { OtpSettings } from './settings.ts';

const Answer = z.strictObject({ otp_id: tokenText(), code: shortCodeText });

interface Again {
  readonly presented: PresentedFactor;
  /** Where the code went, in words. */
  readonly to: string;
  readonly sms: Sms | null;
}

function again(
  kernel: Kernel,
  settings: OtpSettings,
  { presented, to, sms }: Again,
): PresentedAgain {
  const check = checkCode(kernel, signInCodes(kernel, settings));
  return {
    name: presented.factor,
    answer: Answer.meta({ description: `A code of POST /login/otp to the verified ${to}.` }),
    problems: ['invalid_code'],
    verify: (context, given) => {
      const { principal } = context;
      const { otp_id: otpId, code } = Answer.parse(given);
      const scope = { kind: 'session', id: principal.session.id } as const;
      // Strangers who use up the counter of the address don't keep a session from going on.
      return check(context, { otpId, code, scope }, async (checked) => {
        const { sent, forget } = checked;
        const { user } = principal;
        const isOwn = checked.user?.id === user.id && presentedBy(sent) === presented;
        if (!isOwn) throw new Refusal('invalid_code');
        const spent = spendOneTime(sent.id, kernel.clock.now(), 'invalid_code');
        const effects = [spent, forget, ...(sms?.verified(sent.id) ?? [])];
        return { ...presented, user, effects };
      });
    },
  };
}

export function emailCodeMethod(kernel: Kernel, settings: OtpSettings): SignInMethod {
  return {
    name: PRESENTED_EMAIL.factor,
    isUsable: hasVerifiedEmail,
    again: again(kernel, settings, { presented: PRESENTED_EMAIL, to: 'address', sms: null }),
  };
}

export function smsCodeMethod(kernel: Kernel, settings: OtpSettings, sms: Sms): SignInMethod {
  return {
    name: PRESENTED_SMS.factor,
    isUsable: hasVerifiedPhone,
    again: again(kernel, settings, { presented: PRESENTED_SMS, to: 'number', sms }),
  };
}
