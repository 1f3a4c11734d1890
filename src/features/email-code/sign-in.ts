/** Signing in with a code that was sent by email. */
import type { Context } from '../../core/context.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import type { PresentedFactor } from '../../core/factor/presented.ts';
import type { Kernel } from '../../core/kernel.ts';
import { Refusal } from '../../refusal.ts';
import { checkCode } from './check-code.ts';
import { provenMailbox } from './proven-mailbox.ts';
import type { EmailCodeSettings } from './settings.ts';

export const PRESENTED_CODE: PresentedFactor = {
  factor: 'email_code',
  kind: 'mailbox',
  amr: ['otp'],
};

export interface CodeSignIn {
  readonly otpId: string;
  readonly code: string;
  readonly deviceToken: string | undefined;
}

/**
 * Signs in.
 *
 * Its function throws {Refusal} invalid_code; account_disabled, password_change_required,
 * mfa_enrolment_required and rate_limited only after a correct code; too_many_attempts, overloaded.
 */
export function signInWithCode(kernel: Kernel, settings: EmailCodeSettings) {
  const check = checkCode(kernel, settings);
  const complete = provenMailbox(kernel, settings);
  return async (context: Context, input: CodeSignIn): Promise<Authentication> => {
    const { deviceToken } = input;
    try {
      return await check(context, input, ({ sent, user, device, forget }) =>
        complete(context, {
          ...PRESENTED_CODE,
          sent,
          user,
          device,
          over: 'invalid_code',
          effects: [forget],
          ...(device === null || deviceToken === undefined ? {} : { deviceToken }),
        }),
      );
    } catch (error) {
      if (error instanceof Refusal)
        context.log.write('info', 'sign_in.failed', 'a sign-in was refused', {
          factor: PRESENTED_CODE.factor,
          'error.type': error.code,
        });
      throw error;
    }
  };
}
