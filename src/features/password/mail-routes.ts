/**
 * GET /.well-known/change-password; POST /register/verify, /register/resend, /password/forgot,
 * /password/reset/check, /password/reset.
 */
import * as z from 'zod';
import type { App } from '../../app/capabilities.ts';
import { invalidRequest } from '../../refusal.ts';
import { route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { passwordText, tokenText } from '../../http/fields.ts';
import { AuthenticatedReply, MfaRequiredReply, UserReply, userReply } from '../../http/schemas.ts';
import { cookieMember, deliver, demandCookies } from '../../http/token-transport.ts';
import { resendRegistration, verifyRegistration } from '../registration/register-by-email.ts';
import type { RegistrationProof } from '../registration/register-by-email.ts';
import { checkReset, forgotPassword, resetPassword } from '../recovery/reset-password.ts';

const codeText = z.string().max(32, 'No code is that long.');

function proofOf(body: {
  registration_id?: string | undefined;
  code?: string | undefined;
  token?: string | undefined;
  password?: string | undefined;
}): RegistrationProof {
  if (
    body.token !== undefined &&
    body.password !== undefined &&
    body.code === undefined &&
    body.registration_id === undefined
  )
    return { token: body.token, password: body.password };
  if (
    body.registration_id !== undefined &&
    body.code !== undefined &&
    body.token === undefined &&
    body.password === undefined
  )
    return { registrationId: body.registration_id, code: body.code };
  throw invalidRequest({
    pointer: '',
    code: 'required',
    detail: 'Send registration_id and code, or token and password.',
  });
}

export function registrationMailRoutes(app: App): readonly AnyRoute[] {
  return [
    route({
      method: 'post',
      path: '/register/verify',
      tag: 'Account',
      summary: 'Prove the address of a registration, which makes the account and signs it in',
      description:
        'By the code and the registration_id of the 202, or by the token of the link and the password that was chosen: the mailbox and the one who registered, both.',
      security: 'public',
      body: z.strictObject({
        registration_id: tokenText().optional(),
        code: codeText.optional(),
        token: tokenText().optional(),
        password: passwordText().optional(),
        cookie: cookieMember,
      }),
      status: 201,
      reply: z
        .discriminatedUnion('status', [
          AuthenticatedReply.extend({ user: UserReply }),
          MfaRequiredReply.extend({ user: UserReply }),
        ])
        .meta({ id: 'Registered' }),
      problems: [
        'invalid_code',
        'invalid_credentials',
        'origin_not_allowed',
        'token_spent_or_expired',
        'too_many_attempts',
        'overloaded',
      ],
      handle: async (call) => {
        const asked = call.body.cookie === true;
        demandCookies(app, call, asked);
        const { user, authentication } = await verifyRegistration(
          app,
          proofOf(call.body),
          call.requester,
          call.signal,
        );
        return { ...deliver(call, authentication, asked), user: userReply(user, false) };
      },
    }),
    route({
      method: 'post',
      path: '/register/resend',
      tag: 'Account',
      summary: 'Send the code of a registration again',
      description:
        'Within the interval and the hourly limit of the address. The same answer for every registration_id.',
      security: 'public',
      body: z.strictObject({ registration_id: tokenText() }),
      status: 202,
      problems: ['overloaded'],
      handle: (call) =>
        resendRegistration(app, call.body.registration_id, call.requester, call.signal),
    }),
  ];
}

export function resetRoutes(app: App): readonly AnyRoute[] {
  return [
    route({
      method: 'post',
      path: '/password/forgot',
      tag: 'Password',
      summary: 'Ask for a letter that resets the password',
      description:
        'The same answer for every name. A letter goes to a proved address alone, at most one per mail.interval.',
      security: 'public',
      body: z.strictObject({
        username: z
          .string()
          .max(512, 'No name here is that long.')
          .meta({ description: 'A username or a proved e-mail address.' }),
      }),
      status: 202,
      problems: [],
      handle: (call) => forgotPassword(app, call.body.username, call.requester),
    }),
    route({
      method: 'post',
      path: '/password/reset/check',
      tag: 'Password',
      summary: 'Ask whether a reset link is still good, without spending it',
      security: 'public',
      body: z.strictObject({ token: tokenText() }),
      status: 204,
      problems: ['token_spent_or_expired'],
      handle: (call) => checkReset(app, call.body.token),
    }),
    route({
      method: 'post',
      path: '/password/reset',
      tag: 'Password',
      summary: 'Set a new password by a reset link',
      description:
        'Spends the link once, however many ask at once; a password that is refused leaves it good. Ends every session, signs nobody in, and stands in for no second factor.',
      security: 'public',
      body: z.strictObject({ token: tokenText(), password: passwordText() }),
      status: 204,
      problems: ['token_spent_or_expired', 'overloaded'],
      handle: (call) =>
        resetPassword(app, call.body.token, call.body.password, call.requester, call.signal),
    }),
  ];
}

/**
 * Where password managers look for the page that changes a password; without a page there is no
 * such path. @see https://w3c.github.io/webappsec-change-password-url/
 */
export function changePasswordPage(app: App): readonly AnyRoute[] {
  const page = app.config.server.change_password_url;
  if (page === undefined) return [];
  return [
    route({
      method: 'get',
      path: '/.well-known/change-password',
      tag: 'Password',
      summary: 'Leads password managers to the page that changes a password',
      security: 'public',
      status: 302,
      headers: { Location: 'server.change_password_url' },
      problems: [],
      handle: (call) => call.setHeader('location', page),
    }),
  ];
}
