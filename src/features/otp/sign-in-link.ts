/** Signing in with the link that an email has beside its code. */
import type { Context } from '../../core/context.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import type { PresentedFactor } from '../../core/factor/presented.ts';
import type { Kernel } from '../../core/kernel.ts';
import type { OneTime } from '../../core/one-time/one-time.ts';
import { findUserById } from '../../core/user/user.ts';
import { constantTimeEqual } from '../../crypto/secret.ts';
import { Refusal } from '../../refusal.ts';
import { SIGN_IN_CODE } from './code-kind.ts';
import { provenAddress } from './proven-address.ts';
import type { OtpSettings } from './settings.ts';
import { noteFailure } from './sign-in.ts';

const PRESENTED_LINK: PresentedFactor = { factor: 'email_link', kind: 'mailbox', amr: ['otp'] };

export interface LinkSignIn {
  readonly token: string;
  /** What the request for the email was answered with: only the device that asked has it. */
  readonly otpId: string | undefined;
  readonly deviceToken: string | undefined;
}

/**
 * Signs in on the device that asked for the email. Elsewhere the link is refused and stays good:
 * whoever had a victim open a link would be let in otherwise, or would let the victim into an
 * account of theirs (ASVS 6.6.2).
 *
 * Its function throws {Refusal} token_spent_or_expired, other_device; account_disabled,
 * password_change_required, mfa_enrolment_required, rate_limited.
 */
export function signInWithLink(kernel: Kernel, settings: OtpSettings) {
  const { db, oneTimes, deviceTokens } = kernel;
  const complete = provenAddress(kernel, settings);

  /** @throws {Refusal} token_spent_or_expired, other_device */
  const find = async ({ token, otpId = '' }: LinkSignIn): Promise<OneTime> => {
    const sent = await oneTimes.findByToken(SIGN_IN_CODE, token);
    if (sent === null) throw new Refusal('token_spent_or_expired');
    if (!constantTimeEqual(otpId, sent.id)) throw new Refusal('other_device');
    return sent;
  };

  const verify = async (context: Context, input: LinkSignIn): Promise<Authentication> => {
    const sent = await find(input);
    const user = await findUserById(db, sent.userId ?? '');
    const { deviceToken } = input;
    const isKnown = user !== null && deviceToken !== undefined;
    const device = isKnown ? deviceTokens.deviceOf(deviceToken, user) : null;
    return complete(context, {
      ...PRESENTED_LINK,
      sent,
      user,
      device,
      over: 'token_spent_or_expired',
      effects: [],
      ...(device === null || deviceToken === undefined ? {} : { deviceToken }),
    });
  };

  return async (context: Context, input: LinkSignIn): Promise<Authentication> => {
    try {
      return await verify(context, input);
    } catch (error) {
      if (error instanceof Refusal) noteFailure(context, PRESENTED_LINK.factor, error);
      throw error;
    }
  };
}
