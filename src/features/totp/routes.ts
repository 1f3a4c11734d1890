/** POST and DELETE /me/totp; POST /me/totp/confirm. */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import { shortCodeText } from '../../http/fields.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { RecoveryCodesReply } from '../../http/schemas.ts';
import type { TotpSettings } from './authenticators.ts';
import { beginEnrolment } from './begin-enrolment.ts';
import { confirmEnrolment } from './confirm-enrolment.ts';
import { removeAuthenticator } from './remove-authenticator.ts';

export function totpRoutes(kernel: Kernel, settings: TotpSettings): readonly AnyRoute[] {
  const begin = beginEnrolment(kernel, settings);
  const confirm = confirmEnrolment(kernel, settings);
  const remove = removeAuthenticator(kernel);
  return [
    route({
      method: 'post',
      path: '/me/totp',
      tag: 'Factors',
      summary: 'Start enrolment of an authenticator app',
      description:
        'The seed is shown only in this answer. It has no effect until it is confirmed with a code; an authenticator that is already confirmed stays in use until then.',
      security: bearer({ fresh: true }),
      status: 201,
      reply: z
        .object({
          secret: z.string().meta({ description: 'Base 32, for typing.' }),
          otpauth_uri: z.string().meta({ description: 'For the QR code.' }),
        })
        .meta({ id: 'TotpEnrolment' }),
      problems: [],
      handle: async (call) => {
        const { secret, otpauthUri } = await begin(kernel.context(call));
        return { secret, otpauth_uri: otpauthUri };
      },
    }),
    route({
      method: 'post',
      path: '/me/totp/confirm',
      renewsDevice: true,
      limit: 'login',
      tag: 'Factors',
      summary: 'Confirm the authenticator app with a code',
      description:
        'From now on sign-ins require it. The answer contains recovery codes, which are not shown again; the other sessions end.',
      security: bearer({ fresh: true }),
      body: z.strictObject({ code: shortCodeText }),
      status: 200,
      reply: RecoveryCodesReply,
      problems: ['invalid_code', 'conflict', 'too_many_attempts', 'overloaded'],
      handle: async (call) => {
        const codes = await confirm(kernel.context(call), call.body.code.replaceAll(' ', ''));
        return { recovery_codes: [...codes] };
      },
    }),
    route({
      method: 'delete',
      path: '/me/totp',
      renewsDevice: true,
      tag: 'Factors',
      summary: 'Remove the authenticator app',
      description:
        'The other sessions end. Recovery codes are removed with the last second factor.',
      security: bearer({ fresh: true }),
      status: 204,
      problems: ['not_found', 'last_second_factor', 'conflict'],
      handle: (call) => remove(kernel.context(call)),
    }),
  ];
}
