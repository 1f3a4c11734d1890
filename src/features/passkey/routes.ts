/**
 * /me/passkeys, /login/passkey, /register/passkey/options, the options of further factors, and /.well-known/passkey-endpoints.
 */
import * as z from 'zod';
import { jsonDocument } from '../../http/document-bytes.ts';
import { nameText, text, tokenText } from '../../http/fields.ts';
import { bearer, document, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { AuthenticationReply } from '../../http/schemas.ts';
import { cookieMember, deliver, demandCookies } from '../../http/token-transport.ts';
import type { CookiePolicy } from '../../http/token-transport.ts';
import { addPasskey, beginAddingPasskey } from './add-passkey.ts';
import type { BegunAssertion } from './ceremony.ts';
import { AssertionJson, AttestationJson, challengeIdText } from './credential-json.ts';
import { beginAgain, beginSecondFactor } from './factor.ts';
import { removePasskey, renamePasskey } from './manage-passkeys.ts';
import { beginNewAccount } from './new-account.ts';
import { CreationOptions, RequestOptions, creationOptions, requestOptions } from './options.ts';
import { PasskeyReply, passkeyReply } from './replies.ts';
import type { PasskeyKernel, PasskeySettings } from './settings.ts';
import { beginSignIn, signInWithPasskey } from './sign-in.ts';
import { MAX_PASSKEYS } from './store.ts';

const name = text({ min: 1, max: 64 }).meta({ description: 'The name that its user chose.' });

const CreationReply = z
  .object({ challenge_id: z.string(), options: CreationOptions })
  .meta({ id: 'PasskeyCreation', description: 'Valid for five minutes and one answer.' });
const RequestReply = z
  .object({ challenge_id: z.string(), options: RequestOptions })
  .meta({ id: 'PasskeyRequest', description: 'Valid for five minutes and one answer.' });

function ownRoutes(kernel: PasskeyKernel): readonly AnyRoute[] {
  const begin = beginAddingPasskey(kernel);
  const add = addPasskey(kernel);
  const rename = renamePasskey(kernel);
  const remove = removePasskey(kernel);
  return [
    route({
      method: 'post',
      path: '/me/passkeys/options',
      tag: 'Factors',
      summary: 'Start registration of a passkey',
      description: `The options go to startRegistration of @simplewebauthn/browser (navigator.credentials.create). A user may have ${MAX_PASSKEYS} passkeys.`,
      security: bearer({ fresh: true }),
      status: 200,
      reply: CreationReply,
      problems: ['too_many_passkeys'],
      handle: async (call) => {
        const begun = await begin(kernel.context(call));
        const { user } = call.principal;
        const { challenge, exclude } = begun;
        const options = creationOptions(kernel.passkeys, user, challenge, exclude);
        return { challenge_id: begun.challengeId, options };
      },
    }),
    route({
      method: 'post',
      path: '/me/passkeys',
      renewsDevice: true,
      tag: 'Factors',
      summary: 'Finish registration of a passkey',
      description:
        'In the session that asked for the options. The other sessions end. A credential that fails verification is 422 invalid_request with not_verified at /credential; a challenge that was already answered or has expired, spent_or_expired at /challenge_id.',
      security: bearer(),
      body: z.strictObject({
        challenge_id: challengeIdText,
        credential: AttestationJson,
        name: name.optional(),
      }),
      status: 201,
      reply: PasskeyReply,
      problems: ['passkey_registered', 'too_many_passkeys', 'conflict'],
      handle: async (call) => {
        const { challenge_id: challengeId, credential, name: given } = call.body;
        const input = { challengeId, credential, name: given };
        return passkeyReply(await add(kernel.context(call), input));
      },
    }),
    route({
      method: 'patch',
      path: '/me/passkeys/{id}',
      tag: 'Factors',
      summary: 'Rename a passkey',
      security: bearer(),
      body: z.strictObject({ name }),
      status: 200,
      reply: PasskeyReply,
      problems: ['not_found'],
      handle: async (call) => {
        const input = { id: call.params['id'] ?? '', name: call.body.name };
        return passkeyReply(await rename(kernel.context(call), input));
      },
    }),
    route({
      method: 'delete',
      path: '/me/passkeys/{id}',
      renewsDevice: true,
      tag: 'Factors',
      summary: 'Remove a passkey',
      description:
        'The other sessions end. Recovery codes are removed with the last second factor. The last way to sign in is never removed.',
      security: bearer({ fresh: true }),
      status: 204,
      problems: ['not_found', 'last_sign_in_method', 'last_second_factor', 'conflict'],
      handle: (call) => remove(kernel.context(call), call.params['id'] ?? ''),
    }),
  ];
}

function signInRoutes(kernel: PasskeyKernel, cookies: CookiePolicy): readonly AnyRoute[] {
  const begin = beginSignIn(kernel);
  const signIn = signInWithPasskey(kernel);
  const second = beginSecondFactor(kernel);
  const again = beginAgain(kernel);
  const reply = (begun: BegunAssertion): z.input<typeof RequestReply> => ({
    challenge_id: begun.challengeId,
    options: requestOptions(kernel.passkeys, begun.challenge, begun.allow),
  });
  return [
    route({
      method: 'post',
      path: '/login/passkey/options',
      limit: 'login',
      tag: 'Sign-in',
      summary: 'Start sign-in with a passkey',
      description:
        'The options go to startAuthentication of @simplewebauthn/browser (navigator.credentials.get). The authenticator offers the passkeys that it has; with a name, one of another account is refused. No credentials are listed, because that would reveal which names have an account.',
      security: 'public',
      body: z.strictObject({
        username: z
          .string()
          .max(512, 'No name here is that long.')
          .optional()
          .meta({ description: 'A username or a verified email address.' }),
      }),
      bodyOptional: true,
      status: 200,
      reply: RequestReply,
      problems: [],
      handle: (call) => reply(begin(kernel.context(call), call.body.username)),
    }),
    route({
      method: 'post',
      path: '/login/passkey',
      limit: 'login',
      tag: 'Sign-in',
      summary: 'Sign in with a passkey',
      description:
        'With user verification this is aal2 by itself; without, a user who has a password must present it too. Every failure gets the same answer; for a credential that this service never registered, it has unknown_credential, the argument of PublicKeyCredential.signalUnknownCredential().',
      security: 'public',
      body: z.strictObject({
        challenge_id: challengeIdText,
        credential: AssertionJson,
        cookie: cookieMember,
      }),
      status: 200,
      reply: AuthenticationReply,
      problems: [
        'invalid_credentials',
        'account_disabled',
        'password_change_required',
        'origin_not_allowed',
      ],
      handle: async (call) => {
        const { challenge_id: challengeId, credential, cookie } = call.body;
        demandCookies(cookies, call, cookie);
        return deliver(
          call,
          await signIn(kernel.context(call), { challengeId, credential }),
          cookie,
        );
      },
    }),
    route({
      method: 'post',
      path: '/login/mfa/passkey/options',
      limit: 'login',
      tag: 'Sign-in',
      summary: 'Start passkey authentication as the second factor of a sign-in',
      description: 'Send the result to POST /login/mfa as passkey.',
      security: 'public',
      body: z.strictObject({ challenge_token: tokenText() }),
      status: 200,
      reply: RequestReply,
      problems: ['invalid_token', 'not_found'],
      handle: async (call) => reply(await second(kernel.context(call), call.body.challenge_token)),
    }),
    route({
      method: 'post',
      path: '/reauthenticate/passkey/options',
      tag: 'Sign-in',
      summary: 'Start passkey authentication within the session (step-up)',
      description: 'Send the result to POST /reauthenticate as passkey.',
      security: bearer(),
      status: 200,
      reply: RequestReply,
      problems: ['not_found'],
      handle: async (call) => reply(await again(kernel.context(call))),
    }),
  ];
}

/**
 * The pages to which password managers send users; public, and never a redirect (R10).
 * @see https://www.w3.org/TR/passkey-endpoints/
 */
function endpointsRoute({ passkeys }: PasskeyKernel): AnyRoute {
  const { enrollUrl: enroll, manageUrl: manage } = passkeys;
  const endpoints = jsonDocument({
    ...(enroll === undefined ? {} : { enroll }),
    ...(manage === undefined ? {} : { manage }),
  });
  return document({
    path: '/.well-known/passkey-endpoints',
    tag: 'Services',
    summary: 'Get the pages where users add and manage passkeys, for password managers',
    description:
      'passkeys.enroll_url and passkeys.manage_url, if they are set. Password managers request this from the host passkeys.rp_id.',
    contentType: 'application/json',
    maxAgeSeconds: 3600,
    problems: [],
    current: () => endpoints,
  });
}

/** Who may create an account, and by which names. */
export type NewAccounts = 'closed' | 'by_any_name' | 'by_email';

function newAccountRoutes(kernel: PasskeyKernel, by: NewAccounts): readonly AnyRoute[] {
  if (by === 'closed') return [];
  const begin = beginNewAccount(kernel);
  const common = {
    email: nameText('address').optional(),
    display_name: text({ min: 1, max: 128 }).optional(),
  };
  return [
    route({
      method: 'post',
      path: '/register/passkey/options',
      limit: 'login',
      tag: 'Account',
      summary: 'Start creating an account with a passkey instead of a password',
      description:
        'The options go to startRegistration of @simplewebauthn/browser (navigator.credentials.create); send the result to POST /register as passkey, with the same name. Names are not looked up here.',
      security: 'public',
      body:
        by === 'by_any_name'
          ? z.strictObject({ username: nameText('name').optional(), ...common })
          : z.strictObject(common),
      status: 200,
      reply: CreationReply,
      problems: [],
      handle: ({ body }) => {
        const { email, display_name: displayName } = body;
        const username =
          'username' in body && typeof body.username === 'string' ? body.username : undefined;
        const { user, challenge, challengeId } = begin({ username, email, displayName });
        const options = creationOptions(kernel.passkeys, user, challenge, []);
        return { challenge_id: challengeId, options };
      },
    }),
  ];
}

/** What the routes need of the configuration. */
export interface PasskeyRoutes {
  readonly passkeys: PasskeySettings;
  readonly cookies: CookiePolicy;
  readonly registration: NewAccounts;
}

export function passkeyRoutes(
  kernel: PasskeyKernel,
  { cookies, registration }: PasskeyRoutes,
): readonly AnyRoute[] {
  return [
    ...ownRoutes(kernel),
    ...signInRoutes(kernel, cookies),
    ...newAccountRoutes(kernel, registration),
    endpointsRoute(kernel),
  ];
}
