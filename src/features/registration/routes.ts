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
import type { AnyRoute, Call } from '../../http/route.ts';
import { AuthenticatedReply, MfaRequiredReply, UserReply, userReply } from '../../http/schemas.ts';
import { cookieMember, deliver, demandCookies } from '../../http/token-transport.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import {
  accountCredentials,
  chosenIn,
  credentialMembers,
  registerAs,
  registerByAddress,
} from './choose-credential.ts';
import { resendRegistration } from './register-by-email.ts';
import type { PendingRegistration } from './register-by-email.ts';
import type { Registered } from './register-by-username.ts';
import type { Profile, RegistrationSettings } from './settings.ts';
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
  display_name: text({ min: 1, max: 128 }).optional(),
  user_metadata: metadata().optional(),
};

interface ProfileBody {
  readonly display_name?: string | undefined;
  readonly user_metadata?: Record<string, unknown> | undefined;
}

const profileOf = ({ display_name, user_metadata }: ProfileBody): Profile => ({
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

const NAMED_PROBLEMS = ['username_taken'] as const;
const CREDENTIAL_PROBLEMS = ['passkey_registered'] as const;

const registeredMembers = {
  user: UserReply,
  recovery_codes: z
    .array(z.string())
    .optional()
    .meta({ description: 'Shown only in this answer: of an account without a password.' }),
};

function registeredReply(call: Call<unknown>, done: Registered, cookie: unknown) {
  const { user, authentication, recoveryCodes = [] } = done;
  const hasSecondFactor = recoveryCodes.length > 0;
  return {
    ...deliver(call, authentication, cookie),
    user: userReply(user, { hasSecondFactor }),
    ...(hasSecondFactor ? { recovery_codes: [...recoveryCodes] } : {}),
  };
}

const usernameMember = {
  username: nameText('name').optional().meta({
    description:
      'Up to 64 letters and digits of any script; dot, underscore and hyphen after the first. Compared by NFKC and case folding.',
  }),
};
const anonymousMember = {
  anonymous: z.literal(true).optional().meta({
    description:
      'An account with nothing to sign in with, and no name: 201, with a session. It keeps its id when a sign-in method is added, and is deleted when it is not used.',
  }),
};

/** A member that only some configurations have. */
const textIn = (body: object, name: string): string | undefined => {
  const value: unknown = Reflect.get(body, name);
  return typeof value === 'string' ? value : undefined;
};

function registerRoute(kernel: Kernel, settings: RegistrationSettings): AnyRoute {
  const { cookies } = settings;
  const credentials = accountCredentials(kernel);
  const start = registerAs(kernel, settings);
  return route({
    method: 'post',
    path: '/register',
    limit: 'register',
    tag: 'Account',
    summary: 'Create an account',
    description:
      "With a username: 201, signed in; an email address sent with it is pending, and until it is verified it can't be used to sign in, receives no reset email and reserves nothing. With an address alone: 202, the same for free and taken ones, and /register/verify creates the account; user_metadata may then have 2048 bytes. With a password, or with a passkey (POST /register/passkey/options) and no password; the account then has recovery codes from the beginning, which only the answer with the tokens shows.",
    security: 'public',
    body: z.strictObject({
      ...(settings.hasUsernames ? usernameMember : {}),
      ...(settings.maxAnonymous === null ? {} : anonymousMember),
      email: nameText('address').optional(),
      ...profileMembers,
      ...credentialMembers(credentials),
      cookie: cookieMember,
    }),
    status: 201,
    reply: z.discriminatedUnion('status', [
      AuthenticatedReply.extend(registeredMembers),
      MfaRequiredReply.extend(registeredMembers),
      VerificationRequired,
    ]),
    accepted: { reply: VerificationRequired, when: isVerificationRequired },
    problems: [
      ...(settings.hasUsernames ? NAMED_PROBLEMS : []),
      ...(settings.hasUsernames && credentials.length > 0 ? CREDENTIAL_PROBLEMS : []),
      'origin_not_allowed',
      'overloaded',
    ],
    handle: async (call) => {
      const { body } = call;
      const { email, cookie } = body;
      demandCookies(cookies, call, cookie);
      const username = textIn(body, 'username');
      const context = kernel.context(call);
      const chosen = chosenIn(body, credentials);
      const done = await start(context, { username, email, chosen, ...profileOf(body) });
      return 'user' in done ? registeredReply(call, done, cookie) : verificationRequired(done);
    },
  });
}

/**
 * With this setting the API does not reveal whether an address has an account, and there are no
 * usernames (ASVS 6.3.8).
 */
function registerByAddressRoute(kernel: Kernel, settings: RegistrationSettings): AnyRoute {
  const credentials = accountCredentials(kernel);
  const start = registerByAddress(kernel, settings);
  return route({
    method: 'post',
    path: '/register',
    limit: 'register',
    tag: 'Account',
    summary: 'Start registration with an email address',
    description:
      '202, the same for free and taken addresses; /register/verify creates the account. user_metadata may have 2048 bytes. With a password, or with a passkey (POST /register/passkey/options) and no password.',
    security: 'public',
    body: z.strictObject({
      email: nameText('address'),
      ...profileMembers,
      ...credentialMembers(credentials),
    }),
    status: 202,
    reply: VerificationRequired,
    problems: ['overloaded'],
    handle: async (call) => {
      const { body } = call;
      const chosen = chosenIn(body, credentials);
      if (chosen.kind === 'anonymous') throw new Error('an anonymous account of an address');
      const input = { email: body.email, chosen, ...profileOf(body) };
      return verificationRequired(await start(kernel.context(call), input));
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
          AuthenticatedReply.extend(registeredMembers),
          MfaRequiredReply.extend(registeredMembers),
        ])
        .meta({ id: 'Registered' }),
      problems: [
        ...(accountCredentials(kernel).length > 0 ? CREDENTIAL_PROBLEMS : []),
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
        const done = await verify(kernel.context(call), proofOf(call.body));
        return registeredReply(call, done, cookie);
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
  const hasSessions = settings.hasUsernames || settings.maxAnonymous !== null;
  const register = hasSessions ? registerRoute : registerByAddressRoute;
  return [register(kernel, settings), ...emailRoutes(kernel, settings)];
}
