/** Signing in with a code that was sent by email or as a text message. */
import type { Context } from '../../core/context.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import type { Kernel } from '../../core/kernel.ts';
import { checkCode } from '../../core/one-time/check-code.ts';
import type { Refusal } from '../../refusal.ts';
import {
  PRESENTED_EMAIL,
  PRESENTED_SMS,
  isToNumber,
  presentedBy,
  signInCodes,
} from './code-kind.ts';
import { provenAddress } from './proven-address.ts';
import type { Channels, OtpSettings } from './settings.ts';

export interface CodeSignIn {
  readonly otpId: string;
  readonly code: string;
  readonly deviceToken: string | undefined;
}

/** Notes a refused sign-in. */
export function noteFailure({ log }: Context, factor: string, { code }: Refusal): void {
  const fields = { factor, 'error.type': code };
  log.write('info', 'sign_in.failed', 'a sign-in was refused', fields);
}

/**
 * Signs in.
 *
 * Its function throws {Refusal} invalid_code; account_disabled, password_change_required,
 * mfa_enrolment_required and rate_limited only after a correct code; too_many_attempts, overloaded.
 */
export function signInWithCode(kernel: Kernel, channels: Channels, settings: OtpSettings) {
  /** A code that is unknown was sent by either. */
  const usual = channels.email ? PRESENTED_EMAIL : PRESENTED_SMS;
  const check = checkCode(kernel, {
    ...signInCodes(kernel, settings),
    onRefused: (context, refusal, sent) =>
      noteFailure(context, (sent === null ? usual : presentedBy(sent)).factor, refusal),
  });
  const complete = provenAddress(kernel, settings);
  return (context: Context, input: CodeSignIn): Promise<Authentication> => {
    const { deviceToken } = input;
    return check(context, input, ({ sent, user, device, forget }) =>
      complete(context, {
        ...presentedBy(sent),
        sent,
        user,
        device,
        over: 'invalid_code',
        effects: [forget, ...(isToNumber(sent) ? (channels.sms?.verified(sent.id) ?? []) : [])],
        ...(device === null || deviceToken === undefined ? {} : { deviceToken }),
      }),
    );
  };
}
