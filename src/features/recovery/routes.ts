/** POST /password/forgot, /password/reset/check, /password/reset. */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import { nameText, passwordText, tokenText } from '../../http/fields.ts';
import { route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { forgotPassword } from './forgot-password.ts';
import { checkReset, resetPassword } from './reset-password.ts';

export function recoveryRoutes(kernel: Kernel): readonly AnyRoute[] {
  const forgot = forgotPassword(kernel);
  const check = checkReset(kernel);
  const reset = resetPassword(kernel);
  return [
    route({
      method: 'post',
      path: '/password/forgot',
      limit: 'emails',
      tag: 'Password',
      summary: 'Request a password reset email',
      description:
        'The same answer for every name. An email is sent only to a verified address, at most one per mail.interval. 503 overloaded when mail.max_per_network or mail.max_requested is used up.',
      security: 'public',
      body: z.strictObject({
        username: nameText('name').meta({
          description: 'A username or a verified email address.',
        }),
      }),
      status: 202,
      problems: ['overloaded'],
      handle: (call) => forgot(kernel.context(call), call.body.username),
    }),
    route({
      method: 'post',
      path: '/password/reset/check',
      limit: 'check',
      tag: 'Password',
      summary: 'Check whether a reset link is valid, without using it',
      security: 'public',
      body: z.strictObject({ token: tokenText() }),
      status: 204,
      problems: ['token_spent_or_expired'],
      handle: (call) => check(kernel.context(call), call.body.token),
    }),
    route({
      method: 'post',
      path: '/password/reset',
      limit: 'login',
      tag: 'Password',
      summary: 'Set a new password with a reset link',
      description:
        'The link can be spent once, even by concurrent requests; if the password is refused, the link stays valid. Ends every session, does not sign in, and does not replace a second factor.',
      security: 'public',
      body: z.strictObject({ token: tokenText(), password: passwordText() }),
      status: 204,
      problems: ['token_spent_or_expired', 'overloaded'],
      handle: (call) => reset(kernel.context(call), call.body),
    }),
  ];
}
