/** POST /login/otp, /login/otp/verify and /login/link. */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import {
  nameText,
  phoneText,
  resourceMember,
  shortCodeText,
  tokenText,
} from '../../http/fields.ts';
import { route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { AuthenticationReply } from '../../http/schemas.ts';
import {
  cookieMember,
  deliver,
  demandCookies,
  presentedDevice,
} from '../../http/token-transport.ts';
import { requestCode } from './request-code.ts';
import type { WantedCode } from './request-code.ts';
import type { Channels, OtpSettings } from './settings.ts';
import { signInWithCode } from './sign-in.ts';
import { signInWithLink } from './sign-in-link.ts';

/** Only what is sent can be asked for. */
function wantedBody({ email, sms }: Channels): z.ZodType<WantedCode> {
  const address = nameText('address');
  if (sms === null) return z.strictObject({ email: address });
  const phone = phoneText();
  if (!email) return z.strictObject({ phone });
  return z
    .strictObject({ email: address.optional(), phone: phone.optional() })
    .meta({ description: 'Either email or phone.' });
}

function requestRoute(kernel: Kernel, channels: Channels, settings: OtpSettings): AnyRoute {
  const request = requestCode(kernel, channels, settings);
  return route({
    method: 'post',
    path: '/login/otp',
    limit: 'emails',
    tag: 'Sign-in',
    summary: 'Send a sign-in code to an email address or a telephone number',
    description:
      'The same answer for addresses and numbers with and without an account. A new code voids the one before. With otp.auto_register, an address or number without an account gets a code too.',
    security: 'public',
    body: wantedBody(channels),
    status: 202,
    reply: z
      .object({
        otp_id: z.string().meta({ description: 'Keep it: the code is worth nothing without it.' }),
        expires_in: z.number().int().meta({ description: 'Seconds until the code expires.' }),
      })
      .meta({ id: 'SignInCode' }),
    problems: ['overloaded'],
    handle: async (call) => {
      const { otpId, expiresInSeconds } = await request(kernel.context(call), call.body);
      return { otp_id: otpId, expires_in: expiresInSeconds };
    },
  });
}

function verifyRoute(kernel: Kernel, channels: Channels, settings: OtpSettings): AnyRoute {
  const { cookies } = settings;
  const signIn = signInWithCode(kernel, channels, settings);
  return route({
    method: 'post',
    path: '/login/otp/verify',
    limit: 'login',
    tag: 'Sign-in',
    summary: 'Sign in with the code of the email or text message',
    description:
      'A code allows five tries and one success until it expires; a limit per address or number covers all codes. With otp.auto_register, the first code creates the account. A second factor of the account is asked for as after a password.',
    security: 'public',
    body: z.strictObject({
      otp_id: tokenText(),
      code: shortCodeText,
      device_token: tokenText()
        .optional()
        .meta({ description: 'From an earlier sign-in on this device.' }),
      resource: resourceMember,
      cookie: cookieMember,
    }),
    status: 200,
    reply: AuthenticationReply,
    problems: [
      'invalid_code',
      'invalid_target',
      'account_disabled',
      'password_change_required',
      'mfa_enrolment_required',
      'origin_not_allowed',
      'too_many_attempts',
      'overloaded',
    ],
    handle: async (call) => {
      const { otp_id: otpId, code, resource, cookie } = call.body;
      demandCookies(cookies, call, cookie);
      const context = kernel.context(call, kernel.audiences.ofRequest(resource));
      const deviceToken = presentedDevice(cookies, call);
      return deliver(call, await signIn(context, { otpId, code, deviceToken }), cookie);
    },
  });
}

function linkRoute(kernel: Kernel, settings: OtpSettings): AnyRoute {
  const { cookies } = settings;
  const signIn = signInWithLink(kernel, settings);
  return route({
    method: 'post',
    path: '/login/link',
    limit: 'login',
    tag: 'Sign-in',
    summary: 'Sign in with the link of the email',
    description:
      'On the device that asked for the email: with the otp_id that POST /login/otp answered there. Without it, or with another one, the answer is other_device, the link stays good, and the user enters the code on the other device. Opening the link spends nothing, only this request does; it spends the code too.',
    security: 'public',
    body: z.strictObject({
      token: tokenText().meta({ description: 'From the fragment of the link.' }),
      otp_id: tokenText().optional().meta({ description: 'From the answer of POST /login/otp.' }),
      device_token: tokenText()
        .optional()
        .meta({ description: 'From an earlier sign-in on this device.' }),
      resource: resourceMember,
      cookie: cookieMember,
    }),
    status: 200,
    reply: AuthenticationReply,
    problems: [
      'token_spent_or_expired',
      'other_device',
      'invalid_target',
      'account_disabled',
      'password_change_required',
      'mfa_enrolment_required',
      'origin_not_allowed',
    ],
    handle: async (call) => {
      const { token, otp_id: otpId, resource, cookie } = call.body;
      demandCookies(cookies, call, cookie);
      const context = kernel.context(call, kernel.audiences.ofRequest(resource));
      const deviceToken = presentedDevice(cookies, call);
      return deliver(call, await signIn(context, { token, otpId, deviceToken }), cookie);
    },
  });
}

export function otpRoutes(
  kernel: Kernel,
  channels: Channels,
  settings: OtpSettings,
): readonly AnyRoute[] {
  return [
    requestRoute(kernel, channels, settings),
    verifyRoute(kernel, channels, settings),
    ...(settings.linkPage === null || !channels.email ? [] : [linkRoute(kernel, settings)]),
  ];
}
