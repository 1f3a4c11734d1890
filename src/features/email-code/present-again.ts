/** A code sent to the verified address as a sign-in method, presented again within a session. */
import * as z from 'zod';
import type { SignInMethod } from '../../core/factor/sign-in-methods.ts';
import type { Kernel } from '../../core/kernel.ts';
import { spendOneTime } from '../../core/one-time/one-time.ts';
import { hasVerifiedEmail } from '../../core/user/pending-email.ts';
import { shortCodeText, tokenText } from '../../http/fields.ts';
import { Refusal } from '../../refusal.ts';
import { checkCode } from './check-code.ts';
import type { EmailCodeSettings } from './settings.ts';
import { PRESENTED_CODE } from './sign-in.ts';

const Answer = z.strictObject({ otp_id: tokenText(), code: shortCodeText });

export function emailCodeMethod(kernel: Kernel, settings: EmailCodeSettings): SignInMethod {
  const check = checkCode(kernel, settings);
  return {
    name: PRESENTED_CODE.factor,
    isUsable: hasVerifiedEmail,
    again: {
      name: PRESENTED_CODE.factor,
      answer: Answer.meta({ description: 'A code of POST /login/otp to the verified address.' }),
      problems: ['invalid_code'],
      verify: (context, given) => {
        const { principal } = context;
        const { otp_id: otpId, code } = Answer.parse(given);
        const scope = { kind: 'session', id: principal.session.id } as const;
        // Strangers who use up the counter of the address don't keep a session from going on.
        return check(context, { otpId, code, scope }, async (checked) => {
          const { sent, forget } = checked;
          const { user } = principal;
          if (checked.user?.id !== user.id) throw new Refusal('invalid_code');
          const spent = spendOneTime(sent.id, kernel.clock.now(), 'invalid_code');
          return { ...PRESENTED_CODE, user, effects: [spent, forget] };
        });
      },
    },
  };
}
