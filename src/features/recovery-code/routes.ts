/** POST /me/recovery-codes and /login/recovery-code. */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import { codeText, nameText, resourceMember, tokenText } from '../../http/fields.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { AuthenticationReply, RecoveryCodesReply } from '../../http/schemas.ts';
import {
  cookieMember,
  deliver,
  demandCookies,
  presentedDevice,
} from '../../http/token-transport.ts';
import type { CookiePolicy } from '../../http/token-transport.ts';
import { renewCodes } from './renew-codes.ts';
import { signInWithRecoveryCode } from './sign-in.ts';

function signInRoute(kernel: Kernel, cookies: CookiePolicy): AnyRoute {
  const signIn = signInWithRecoveryCode(kernel);
  return route({
    method: 'post',
    path: '/login/recovery-code',
    limit: 'login',
    tag: 'Sign-in',
    summary: 'Sign in with a recovery code when the passkey is lost',
    description:
      'For accounts with a passkey: the code stands for it, once. A password of the account is asked for next. Every failure gets the same answer.',
    security: 'public',
    body: z.strictObject({
      username: nameText('name').meta({ description: 'A username or a verified email address.' }),
      recovery_code: codeText,
      device_token: tokenText()
        .optional()
        .meta({ description: 'From an earlier sign-in on this device.' }),
      resource: resourceMember,
      cookie: cookieMember,
    }),
    status: 200,
    reply: AuthenticationReply,
    problems: [
      'invalid_credentials',
      'invalid_target',
      'account_disabled',
      'password_change_required',
      'origin_not_allowed',
      'too_many_attempts',
      'overloaded',
    ],
    handle: async (call) => {
      const { username, recovery_code: code, resource, cookie } = call.body;
      demandCookies(cookies, call, cookie);
      const context = kernel.context(call, kernel.audiences.ofRequest(resource));
      const deviceToken = presentedDevice(cookies, call);
      return deliver(call, await signIn(context, { username, code, deviceToken }), cookie);
    },
  });
}

export function recoveryCodeRoutes(kernel: Kernel, cookies: CookiePolicy): readonly AnyRoute[] {
  const renew = renewCodes(kernel);
  const canBegin = kernel.factors.active.some(
    ({ accountCredential }) => accountCredential !== undefined,
  );
  return [
    ...(canBegin ? [signInRoute(kernel, cookies)] : []),
    route({
      method: 'post',
      path: '/me/recovery-codes',
      renewsDevice: true,
      limit: 'login',
      tag: 'Factors',
      summary: 'Create ten new recovery codes',
      description:
        'Shown only in this answer; the old set no longer works. The other sessions end.',
      security: bearer({ fresh: true }),
      status: 200,
      reply: RecoveryCodesReply,
      problems: ['no_second_factor', 'conflict', 'overloaded'],
      handle: async (call) => ({ recovery_codes: [...(await renew(kernel.context(call)))] }),
    }),
  ];
}
