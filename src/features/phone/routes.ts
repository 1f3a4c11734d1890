/** /me/phone and /me/phone/verify. */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import type { Sms } from '../../core/sms/sms.ts';
import { phoneText, shortCodeText, tokenText } from '../../http/fields.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { UserReply, userReply } from '../../http/schemas.ts';
import { forgetPhone, verifyPhone } from './change-phone.ts';
import { requestPhone } from './request-phone.ts';
import type { PhoneSettings } from './settings.ts';

export function phoneRoutes(
  kernel: Kernel,
  sms: Sms,
  settings: PhoneSettings,
): readonly AnyRoute[] {
  const request = requestPhone(kernel, sms, settings);
  const verify = verifyPhone(kernel, sms, settings);
  const remove = forgetPhone(kernel);
  return [
    route({
      method: 'post',
      path: '/me/phone',
      tag: 'Account',
      summary: 'Set the telephone number, and send it a code',
      description:
        'Mobile numbers of the countries of sms.countries. The number is pending until POST /me/phone/verify; until then it reserves nothing, and the old one stays. The answer is the same when a limit keeps the message from being sent.',
      security: bearer({ fresh: true }),
      body: z.strictObject({ phone: phoneText() }),
      status: 202,
      reply: z
        .object({
          otp_id: z
            .string()
            .meta({ description: 'Keep it: the code is worth nothing without it.' }),
          expires_in: z.number().int().meta({ description: 'Seconds until the code expires.' }),
        })
        .meta({ id: 'PhoneCode' }),
      problems: ['rate_limited', 'overloaded'],
      handle: async (call) => {
        // Limited by network: sessions are cheap to create, and messages cost money.
        kernel.limits.demand('emails', { kind: 'network', requester: call.requester });
        const { otpId, expiresInSeconds } = await request(kernel.context(call), call.body.phone);
        return { otp_id: otpId, expires_in: expiresInSeconds };
      },
    }),
    route({
      method: 'post',
      path: '/me/phone/verify',
      renewsDevice: true,
      limit: 'login',
      tag: 'Account',
      summary: 'Verify the telephone number with the code that was sent to it',
      description:
        'With otp_id of the request that sent it. A code allows five tries. The other sessions end.',
      security: bearer(),
      body: z.strictObject({ otp_id: tokenText(), code: shortCodeText }),
      status: 200,
      reply: UserReply,
      problems: ['invalid_code', 'phone_taken', 'conflict', 'too_many_attempts', 'overloaded'],
      handle: async (call) => {
        const { otp_id: otpId, code } = call.body;
        const user = await verify(kernel.context(call), { otpId, code });
        return userReply(user, { hasSecondFactor: await kernel.factors.hasSecond(user.id) });
      },
    }),
    route({
      method: 'delete',
      path: '/me/phone',
      renewsDevice: true,
      tag: 'Account',
      summary: 'Remove the telephone number',
      description:
        'The other sessions end. The number stays if nobody could sign in to the account without it.',
      security: bearer({ fresh: true }),
      status: 204,
      problems: ['not_found', 'last_sign_in_method', 'conflict'],
      handle: (call) => remove(kernel.context(call)),
    }),
  ];
}
