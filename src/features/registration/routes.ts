/** POST /register, /register/verify, /register/resend. */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import {
  metadata,
  nameText,
  passwordText,
  shortCodeText,
  text,
  tokenText,
} from '../../http/fields.ts';
import { route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { AuthenticatedReply, MfaRequiredReply, UserReply, userReply } from '../../http/schemas.ts';
import { cookieMember, deliver, demandCookies } from '../../http/token-transport.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import { registerByEmail, resendRegistration } from './register-by-email.ts';
import type { PendingRegistration } from './register-by-email.ts';
import { registerByUsername } from './register-by-username.ts';
import type { ProfileInput, RegistrationSettings } from './settings.ts';
import { verifyRegistration } from './verify-registration.ts';
import type { RegistrationProof } from './verify-registration.ts';

const VerificationRequired = z
  .object({
    status: z.literal('verification_required'),
    registration_id: z
      .string()
      .meta({ description: 'Keep it: the account is created with it and the code in the email.' }),
    expires_in: z.number().int().meta({ description: 'Seconds until the code expires.' }),
  })
  .meta({ id: 'VerificationRequired' });

function isVerificationRequired(reply: unknown): boolean {
  return VerificationRequired.safeParse(reply).success;
}

const profileMembers = {
  password: passwordText(),
  display_name: text({ min: 1, max: 128 }).optional(),
  user_metadata: metadata().optional(),
};

interface ProfileBody {
  readonly password: string;
  readonly display_name?: string | undefined;
  readonly user_metadata?: Record<string, unknown> | undefined;
}

const profileOf = ({ password, display_name, user_metadata }: ProfileBody): ProfileInput => ({
  password,
  displayName: display_name,
  userMetadata: user_metadata,
});

const verificationRequired = ({
  registrationId,
  expiresInSeconds,
}: PendingRegistration): z.input<typeof VerificationRequired> => ({
  status: 'verification_required',
  registration_id: registrationId,
  expires_in: expiresInSeconds,
});

function registerRoute(kernel: Kernel, settings: RegistrationSettings): AnyRoute {
  const { cookies } = settings;
  const byUsername = registerByUsername(kernel);
  const byEmail = registerByEmail(kernel, settings);
  return route({
    method: 'post',
    path: '/register',
    limit: 'register',
    tag: 'Account',
    summary: 'Create an account',
    description:
      "With a username: 201, signed in; an email address sent with it is pending, and until it is verified it can't be used to sign in, receives no reset email and reserves nothing. With an address alone: 202, the same for free and taken ones, and /register/verify creates the account; user_metadata may then have 2048 bytes.",
    security: 'public',
    body: z.strictObject({
      username: nameText('name').optional().meta({
        description:
          'Up to 64 letters and digits of any script; dot, underscore and hyphen after the first. Compared by NFKC and case folding.',
      }),
      email: nameText('address').optional(),
      ...profileMembers,
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
      const { username, email, cookie } = body;
      demandCookies(cookies, call, cookie);
      const context = kernel.context(call);
      const profile = profileOf(body);
      if (username !== undefined) {
        const done = await byUsername(context, { username, email, ...profile });
        const reply = deliver(call, done.authentication, cookie);
        return { ...reply, user: userReply(done.user, { hasSecondFactor: false }) };
      }
      if (email !== undefined) {
        return verificationRequired(await byEmail(context, { email, ...profile }));
      }
      const detail = 'Send a username, or an email address alone.';
      throw invalidRequest({ pointer: '/username', code: 'required', detail });
    },
  });
}

/**
 * With this setting the API does not reveal whether an address has an account, and there are no
 * usernames (ASVS 6.3.8).
 */
function registerByAddressRoute(kernel: Kernel, settings: RegistrationSettings): AnyRoute {
  const byEmail = registerByEmail(kernel, settings);
  return route({
    method: 'post',
    path: '/register',
    limit: 'register',
    tag: 'Account',
    summary: 'Start registration with an email address',
    description:
      '202, the same for free and taken addresses; /register/verify creates the account. user_metadata may have 2048 bytes.',
    security: 'public',
    body: z.strictObject({ email: nameText('address'), ...profileMembers }),
    status: 202,
    reply: VerificationRequired,
    problems: ['overloaded'],
    handle: async (call) => {
      const input = { email: call.body.email, ...profileOf(call.body) };
      return verificationRequired(await byEmail(kernel.context(call), input));
    },
  });
}

function closedRoute(): AnyRoute {
  return route({
    method: 'post',
    path: '/register',
    tag: 'Account',
    summary: 'Refused: registration is closed',
    security: 'public',
    body: z.unknown(),
    status: 204,
    problems: ['registration_closed'],
    handle: () => {
      throw new Refusal('registration_closed');
    },
  });
}

interface ProofBody {
  readonly registration_id?: string | undefined;
  readonly code?: string | undefined;
  readonly token?: string | undefined;
  readonly password?: string | undefined;
}

function proofOf({ registration_id, code, token, password }: ProofBody): RegistrationProof {
  const isCode = registration_id !== undefined && code !== undefined;
  const isLink = token !== undefined && password !== undefined;
  if (isLink && code === undefined && registration_id === undefined) {
    return { kind: 'link', token, password };
  }
  if (isCode && token === undefined && password === undefined) {
    return { kind: 'code', registrationId: registration_id, code };
  }
  throw invalidRequest({
    pointer: '',
    code: 'required',
    detail: 'Send registration_id and code, or token and password.',
  });
}

function emailRoutes(kernel: Kernel, settings: RegistrationSettings): readonly AnyRoute[] {
  const verify = verifyRegistration(kernel);
  const resend = resendRegistration(kernel, settings);
  return [
    route({
      method: 'post',
      path: '/register/verify',
      limit: 'login',
      tag: 'Account',
      summary: 'Verify the address of a registration, which creates the account and signs in',
      description:
        'With the code and the registration_id of the 202, or with the token of the link and the chosen password. Both prove access to the mailbox and that it is the person who registered.',
      security: 'public',
      body: z.strictObject({
        registration_id: tokenText().optional(),
        code: shortCodeText.optional(),
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
        const { cookie } = call.body;
        demandCookies(settings.cookies, call, cookie);
        const { user, authentication } = await verify(kernel.context(call), proofOf(call.body));
        const reply = deliver(call, authentication, cookie);
        return { ...reply, user: userReply(user, { hasSecondFactor: false }) };
      },
    }),
    route({
      method: 'post',
      path: '/register/resend',
      limit: 'emails',
      tag: 'Account',
      summary: 'Send the code of a registration again',
      description:
        'Subject to the interval and the hourly limit of the address. The same answer for every registration_id.',
      security: 'public',
      body: z.strictObject({ registration_id: tokenText() }),
      status: 202,
      problems: ['overloaded'],
      handle: (call) => resend(kernel.context(call), call.body.registration_id),
    }),
  ];
}

export function registrationRoutes(
  kernel: Kernel,
  settings: RegistrationSettings,
): readonly AnyRoute[] {
  if (!settings.enabled) return [closedRoute()];
  const register = settings.hasUsernames ? registerRoute : registerByAddressRoute;
  return [register(kernel, settings), ...emailRoutes(kernel, settings)];
}
