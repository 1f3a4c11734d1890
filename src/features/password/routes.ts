/** POST /register, /login, /me/password, /password/check. */
import * as z from 'zod';
import type { App } from '../../app/capabilities.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute, Call } from '../../http/route.ts';
import { metadata, passwordText, text, tokenText } from '../../http/fields.ts';
import {
  AuthenticatedReply,
  AuthenticationReply,
  MfaRequiredReply,
  UserReply,
  userReply,
} from '../../http/schemas.ts';
import {
  cookieMember,
  deliver,
  demandCookies,
  presentedDevice,
} from '../../http/token-transport.ts';
import {
  changePassword,
  contextWords,
  judgePassword,
  passwordPolicy,
  signIn,
} from './operations.ts';
import { changePasswordPage, registrationMailRoutes, resetRoutes } from './mail-routes.ts';
import { registerByEmail } from '../registration/register-by-email.ts';
import { register } from '../registration/register-by-username.ts';
import { passwordScore } from '../../core/password/score.ts';

const VerificationRequired = z
  .object({
    status: z.literal('verification_required'),
    registration_id: z
      .string()
      .meta({ description: 'Keep it: with the code of the letter it makes the account.' }),
    expires_in: z.number().int().meta({ description: 'Seconds until the code ends.' }),
  })
  .meta({ id: 'VerificationRequired' });

function isVerificationRequired(reply: unknown): boolean {
  return VerificationRequired.safeParse(reply).success;
}

const signInMembers = {
  username: z
    .string()
    .meta({ description: 'A username or a proved e-mail address.' })
    .max(512, 'No name here is that long.'),
  password: passwordText(),
  device_token: tokenText()
    .optional()
    .meta({ description: 'Of an earlier sign-in on this device.' }),
  cookie: cookieMember,
};

interface EmailBody {
  readonly email?: string | undefined;
  readonly password: string;
  readonly display_name?: string | undefined;
  readonly user_metadata?: Record<string, unknown> | undefined;
}

/** @throws {Refusal} invalid_request when there is neither name nor address */
async function verificationRequired(
  app: App,
  call: Call<unknown>,
  body: EmailBody,
): Promise<z.input<typeof VerificationRequired>> {
  if (body.email === undefined)
    throw invalidRequest({
      pointer: '/username',
      code: 'required',
      detail: 'Send a username, or an e-mail address alone.',
    });
  const input = {
    email: body.email,
    password: body.password,
    displayName: body.display_name,
    userMetadata: body.user_metadata,
  };
  const { registrationId, expiresInSeconds } = await registerByEmail(
    app,
    input,
    call.requester,
    call.signal,
  );
  return {
    status: 'verification_required',
    registration_id: registrationId,
    expires_in: expiresInSeconds,
  };
}

export function passwordRoutes(app: App): readonly AnyRoute[] {
  const registration = route({
    method: 'post',
    path: '/register',
    tag: 'Account',
    summary: 'Make an account',
    description:
      'With a username: 201, signed in; an e-mail address beside it is pending, and until it is proved it is no sign-in name, gets no reset letter and reserves nothing. With an address alone: 202, the same for free and taken ones, and the account is made by /register/verify.',
    security: 'public',
    body: z.strictObject({
      username: z.string().max(512, 'No name here is that long.').optional().meta({
        description:
          'Up to 64 letters and digits of any script; dot, underscore and hyphen after the first. Compared by NFKC and case folding.',
      }),
      email: z.string().max(512, 'No address is that long.').optional(),
      password: passwordText(),
      display_name: text({ min: 1, max: 128 }).optional(),
      user_metadata: metadata().optional(),
      cookie: cookieMember,
    }),
    status: 201,
    reply: z.discriminatedUnion('status', [
      AuthenticatedReply.extend({ user: UserReply }),
      MfaRequiredReply.extend({ user: UserReply }),
      VerificationRequired,
    ]),
    accepted: { reply: VerificationRequired, when: isVerificationRequired },
    problems: ['username_taken', 'origin_not_allowed', 'overloaded'],
    handle: async (call) => {
      const { body } = call;
      const asked = body.cookie === true;
      demandCookies(app, call, asked);
      if (body.username === undefined) return verificationRequired(app, call, body);
      const { user, authentication } = await register(
        app,
        {
          username: body.username,
          email: body.email,
          password: body.password,
          displayName: body.display_name,
          userMetadata: body.user_metadata,
        },
        call.requester,
        call.signal,
      );
      return { ...deliver(call, authentication, asked), user: userReply(user, false) };
    },
  });
  // Nobody learns here whether an address has an account, and there are no names to learn of (ASVS
  // 6.3.8).
  const byAddress = route({
    method: 'post',
    path: '/register',
    tag: 'Account',
    summary: 'Begin an account with an e-mail address',
    description:
      '202, the same for free and taken addresses; the account is made by /register/verify.',
    security: 'public',
    body: z.strictObject({
      email: z.string().max(512, 'No address is that long.'),
      password: passwordText(),
      display_name: text({ min: 1, max: 128 }).optional(),
      user_metadata: metadata().optional(),
    }),
    status: 202,
    reply: VerificationRequired,
    problems: ['overloaded'],
    handle: (call) => verificationRequired(app, call, call.body),
  });
  const hasTotp = app.factors.some(({ name }) => name === 'totp');
  const closed = route({
    method: 'post',
    path: '/register',
    tag: 'Account',
    summary: 'Closed: new accounts are not open for registration',
    security: 'public',
    body: z.unknown(),
    status: 204,
    problems: ['registration_closed'],
    handle: () => {
      throw new Refusal('registration_closed');
    },
  });
  return [
    ...(app.config.registration.enabled
      ? [
          app.config.registration.usernames ? registration : byAddress,
          ...registrationMailRoutes(app),
        ]
      : [closed]),
    ...resetRoutes(app),
    ...changePasswordPage(app),
    route({
      method: 'post',
      path: '/login',
      tag: 'Sign-in',
      summary: 'Sign in with a username or an e-mail address and a password',
      description:
        'One answer for every wrong pair, whether or not the name is known. An account that is disabled is told so only after the right password.',
      security: 'public',
      body: hasTotp
        ? z.strictObject({
            ...signInMembers,
            totp: z.string().max(64, 'No code is that long.').optional().meta({
              description: 'The six digits of the authenticator app, to spare the second request.',
            }),
          })
        : z.strictObject(signInMembers),
      status: 200,
      reply: AuthenticationReply,
      problems: [
        'invalid_credentials',
        'account_disabled',
        'password_change_required',
        'mfa_enrolment_required',
        'origin_not_allowed',
        'too_many_attempts',
        'overloaded',
      ],
      handle: async (call) => {
        const asked = call.body.cookie === true;
        demandCookies(app, call, asked);
        const input = {
          username: call.body.username,
          password: call.body.password,
          totp:
            'totp' in call.body && typeof call.body.totp === 'string' ? call.body.totp : undefined,
          deviceToken: presentedDevice(app, call),
        };
        return deliver(call, await signIn(app, input, call.requester, call.signal), asked);
      },
    }),
    route({
      method: 'post',
      path: '/me/password',
      tag: 'Account',
      summary: 'Change the password',
      description: 'Needs the current password. Every other session of the user ends.',
      security: bearer(),
      body: z.strictObject({
        current_password: passwordText().optional(),
        new_password: passwordText(),
      }),
      status: 204,
      problems: ['invalid_credentials', 'conflict', 'too_many_attempts', 'overloaded'],
      handle: (call) =>
        changePassword(
          app,
          call.principal,
          { currentPassword: call.body.current_password, newPassword: call.body.new_password },
          call.requester,
          call.signal,
        ),
    }),
    route({
      method: 'post',
      path: '/password/check',
      tag: 'Password',
      summary: 'Ask what the policy says of a password',
      description: 'For sign-up forms. Nothing is stored or logged.',
      security: 'public',
      body: z.strictObject({
        password: z.string(),
        username: text({ min: 0, max: 64 }).optional(),
        email: text({ min: 0, max: 254 }).optional(),
      }),
      status: 200,
      reply: z
        .object({
          valid: z.boolean(),
          score: z.number().int().min(0).max(4).meta({
            description: '0 guessed at once, 4 strong. A hint for a meter; valid decides.',
          }),
          errors: z.array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() })),
        })
        .meta({ id: 'PasswordCheck' }),
      problems: [],
      handle: async ({ body }) => {
        const context = {
          username: body.username ?? null,
          email: body.email ?? null,
          words: contextWords(app),
        };
        const faults = await judgePassword(app, body.password, context);
        return {
          valid: faults.length === 0,
          score: passwordScore(passwordPolicy(app), body.password, context),
          errors: faults.map(({ code, detail }) => ({ pointer: '/password', code, detail })),
        };
      },
    }),
  ];
}
