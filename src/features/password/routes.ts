/** POST /login, /me/password, /password/check; GET /.well-known/change-password. */
import * as z from 'zod';
import type { Factor, FactorAnswer } from '../../core/factor/factor.ts';
import type { Kernel } from '../../core/kernel.ts';
import { answerOf } from '../../http/factor-answer.ts';
import { nameText, passwordText, resourceMember, text, tokenText } from '../../http/fields.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { AuthenticationReply } from '../../http/schemas.ts';
import {
  cookieMember,
  deliver,
  demandCookies,
  presentedDevice,
} from '../../http/token-transport.ts';
import type { CookiePolicy } from '../../http/token-transport.ts';
import { changePassword } from './change-password.ts';
import { createLegacy } from './legacy.ts';
import type { LegacySettings } from './legacy.ts';
import { signIn } from './sign-in.ts';

export interface PasswordSettings {
  readonly cookies: CookiePolicy;
  /** The page where users change their password, for password managers. */
  readonly changePasswordUrl: string | undefined;
  /** The system that had the users before, if it may be asked. */
  readonly legacy: LegacySettings | null;
}

const SignIn = z.strictObject({
  username: nameText('name').meta({ description: 'A username or a verified email address.' }),
  password: passwordText(),
  device_token: tokenText()
    .optional()
    .meta({ description: 'From an earlier sign-in on this device.' }),
  resource: resourceMember,
  cookie: cookieMember,
});

/** The members for second factors that a sign-in may bring along; their names are data, not types. */
function secondMembers(factors: readonly Factor[]): Record<never, z.ZodType> {
  return Object.fromEntries(
    factors.map(({ name, answer, withPassword }) => [
      name,
      answer.optional().meta({ ...withPassword }),
    ]),
  );
}

/** @throws {Refusal} invalid_request: more than one */
function secondAnswer(
  body: Readonly<Record<string, unknown>>,
  factors: readonly Factor[],
): FactorAnswer | null {
  return factors.some(({ name }) => body[name] !== undefined) ? answerOf(body, factors) : null;
}

function loginRoute(kernel: Kernel, { cookies, legacy }: PasswordSettings): AnyRoute {
  const operation = signIn(kernel, legacy && createLegacy(legacy, kernel));
  const seconds = kernel.factors.active.filter(({ withPassword }) => withPassword !== undefined);
  const body = SignIn.extend(secondMembers(seconds));
  return route({
    method: 'post',
    path: '/login',
    limit: 'login',
    tag: 'Sign-in',
    summary: 'Sign in with a username or an email address and a password',
    description:
      'Every wrong pair gets the same answer, whether or not the name is known. account_disabled is answered only after the correct password.',
    security: 'public',
    body,
    status: 200,
    reply: AuthenticationReply,
    problems: [
      'invalid_credentials',
      'invalid_target',
      'account_disabled',
      'password_change_required',
      'mfa_enrolment_required',
      'origin_not_allowed',
      'too_many_attempts',
      'overloaded',
      ...(legacy === null ? [] : (['provider_unavailable'] as const)),
    ],
    handle: async (call) => {
      const { username, password, cookie, resource } = call.body;
      demandCookies(cookies, call, cookie);
      // Checked before the password: the answer says nothing about the account.
      const context = kernel.context(call, kernel.audiences.ofRequest(resource));
      const deviceToken = presentedDevice(cookies, call);
      const input = { username, password, answer: secondAnswer(call.body, seconds), deviceToken };
      return deliver(call, await operation(context, input), cookie);
    },
  });
}

function changeRoute(kernel: Kernel): AnyRoute {
  const operation = changePassword(kernel);
  return route({
    method: 'post',
    path: '/me/password',
    renewsDevice: true,
    limit: 'login',
    tag: 'Account',
    summary: 'Change the password, or add one',
    description:
      'Needs the current password, and a fresh authentication where the user has a second factor or no password yet. Every other session of the user ends.',
    security: bearer(),
    body: z.strictObject({
      current_password: passwordText().optional(),
      new_password: passwordText(),
    }),
    status: 204,
    problems: [
      'invalid_credentials',
      'insufficient_user_authentication',
      'conflict',
      'too_many_attempts',
      'overloaded',
    ],
    handle: (call) => {
      const { current_password: currentPassword, new_password: newPassword } = call.body;
      return operation(kernel.context(call), { currentPassword, newPassword });
    },
  });
}

function checkRoute({ passwords }: Kernel): AnyRoute {
  return route({
    method: 'post',
    path: '/password/check',
    limit: 'check',
    tag: 'Password',
    summary: 'Check a password against the policy',
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
          description:
            'From 0 (guessed at once) to 4 (strong): a hint for a meter. Only `valid` decides.',
        }),
        errors: z.array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() })),
      })
      .meta({ id: 'PasswordCheck' }),
    problems: [],
    handle: async ({ body: { password, username = null, email = null } }) => {
      const owner = { username, email };
      const faults = await passwords.judge(password, owner);
      return {
        valid: faults.length === 0,
        score: passwords.score(password, owner),
        errors: faults.map((fault) => ({ pointer: '/password', ...fault })),
      };
    },
  });
}

/**
 * Redirects password managers to the page that changes a password; without such a page the path
 * does not exist.
 *
 * @see https://w3c.github.io/webappsec-change-password-url/
 */
function changePageRoutes(page: string | undefined): readonly AnyRoute[] {
  if (page === undefined) return [];
  return [
    route({
      method: 'get',
      path: '/.well-known/change-password',
      tag: 'Password',
      summary: 'Redirect password managers to the page that changes a password',
      security: 'public',
      status: 302,
      headers: { Location: 'server.change_password_url' },
      problems: [],
      handle: (call) => call.setHeader('location', page),
    }),
  ];
}

export function passwordRoutes(kernel: Kernel, settings: PasswordSettings): readonly AnyRoute[] {
  return [
    ...changePageRoutes(settings.changePasswordUrl),
    loginRoute(kernel, settings),
    changeRoute(kernel),
    checkRoute(kernel),
  ];
}
