/**
 * /me/passkeys, /login/passkey, the options of further factors, and /.well-known/passkey-endpoints.
 */
import * as z from 'zod';
import { AssertionJson, AttestationJson } from '../../http/factor-answer.ts';
import { jsonDocument } from '../../http/document-bytes.ts';
import { text, tokenText } from '../../http/fields.ts';
import { bearer, document, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { AuthenticationReply } from '../../http/schemas.ts';
import { cookieMember, deliver, demandCookies } from '../../http/token-transport.ts';
import { beginAgain, beginSecondFactor } from './factor.ts';
import { removePasskey, renamePasskey } from './management.ts';
import { CreationOptions, RequestOptions, creationOptions, requestOptions } from './options.ts';
import { MAX_PASSKEYS, beginRegistration, finishRegistration } from './registration.ts';
import type { PasskeyApp } from './relying-party.ts';
import { PasskeyReply, passkeyReply } from './replies.ts';
import { beginSignIn, signInWithPasskey } from './sign-in.ts';
import type { BegunAssertion } from './sign-in.ts';

const challengeId = z
  .string()
  .max(4_096, 'No challenge_id is that long.')
  .meta({ description: 'From the answer that had the options.' });
const name = text({ min: 1, max: 64 }).meta({ description: 'What its user calls it.' });

const CreationReply = z
  .object({ challenge_id: z.string(), options: CreationOptions })
  .meta({ id: 'PasskeyCreation', description: 'Good for five minutes and one answer.' });
const RequestReply = z
  .object({ challenge_id: z.string(), options: RequestOptions })
  .meta({ id: 'PasskeyRequest', description: 'Good for five minutes and one answer.' });

function ownRoutes(app: PasskeyApp): readonly AnyRoute[] {
  return [
    route({
      method: 'post',
      path: '/me/passkeys/options',
      tag: 'Factors',
      summary: 'Begin to add a passkey',
      description: `The options go to startRegistration of @simplewebauthn/browser (navigator.credentials.create). A user may have ${MAX_PASSKEYS} passkeys.`,
      security: bearer({ fresh: true }),
      status: 200,
      reply: CreationReply,
      problems: ['too_many_passkeys'],
      handle: async ({ principal }) => {
        const begun = await beginRegistration(app, principal);
        return {
          challenge_id: begun.challengeId,
          options: creationOptions(app, principal.user, begun.challenge, begun.exclude),
        };
      },
    }),
    route({
      method: 'post',
      path: '/me/passkeys',
      tag: 'Factors',
      summary: 'Add the passkey that the authenticator made',
      description:
        'In the session that asked for the options. The other sessions end. What does not hold is 422 invalid_request with not_verified at /credential; a challenge that was answered or is too old, spent_or_expired at /challenge_id.',
      security: bearer(),
      body: z.strictObject({
        challenge_id: challengeId,
        credential: AttestationJson,
        name: name.optional(),
      }),
      status: 201,
      reply: PasskeyReply,
      problems: ['passkey_registered', 'too_many_passkeys', 'conflict'],
      handle: async ({ body, principal, requester }) =>
        passkeyReply(
          await finishRegistration(
            app,
            principal,
            { challengeId: body.challenge_id, credential: body.credential, name: body.name },
            requester,
          ),
        ),
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
      handle: async ({ body, params, principal }) =>
        passkeyReply(await renamePasskey(app, principal, params['id'] ?? '', body.name)),
    }),
    route({
      method: 'delete',
      path: '/me/passkeys/{id}',
      tag: 'Factors',
      summary: 'Take a passkey away',
      description:
        'The other sessions end. Recovery codes go with the last factor that they stand in for. The last way to sign in stays.',
      security: bearer({ fresh: true }),
      status: 204,
      problems: ['not_found', 'last_sign_in_method', 'last_second_factor', 'conflict'],
      handle: ({ params, principal, requester }) =>
        removePasskey(app, principal, params['id'] ?? '', requester),
    }),
  ];
}

function signInRoutes(app: PasskeyApp): readonly AnyRoute[] {
  const reply = (begun: BegunAssertion): z.input<typeof RequestReply> => ({
    challenge_id: begun.challengeId,
    options: requestOptions(app, begun.challenge, begun.allow),
  });
  return [
    route({
      method: 'post',
      path: '/login/passkey/options',
      tag: 'Sign-in',
      summary: 'Begin to sign in with a passkey',
      description:
        'The options go to startAuthentication of @simplewebauthn/browser (navigator.credentials.get). Without a name the authenticator offers what it has. A name gets credentials whether or not anybody has it.',
      security: 'public',
      body: z.strictObject({
        username: z
          .string()
          .max(512, 'No name here is that long.')
          .optional()
          .meta({ description: 'A username or a proved e-mail address.' }),
      }),
      bodyOptional: true,
      status: 200,
      reply: RequestReply,
      problems: [],
      handle: async ({ body }) => reply(await beginSignIn(app, body.username)),
    }),
    route({
      method: 'post',
      path: '/login/passkey',
      tag: 'Sign-in',
      summary: 'Sign in with a passkey',
      description:
        'With user verification this is aal2 by itself; without, a user who has a password is asked for it. One answer for everything that is wrong; with a credential that this service never gave out it has unknown_credential, the argument of PublicKeyCredential.signalUnknownCredential().',
      security: 'public',
      body: z.strictObject({
        challenge_id: challengeId,
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
        const asked = call.body.cookie === true;
        demandCookies(app, call, asked);
        return deliver(
          call,
          await signInWithPasskey(
            app,
            { challengeId: call.body.challenge_id, credential: call.body.credential },
            call.requester,
          ),
          asked,
        );
      },
    }),
    route({
      method: 'post',
      path: '/login/mfa/passkey/options',
      tag: 'Sign-in',
      summary: 'Begin to show a passkey as the second factor of a sign-in',
      description: 'What comes of it goes to POST /login/mfa as passkey.',
      security: 'public',
      body: z.strictObject({ challenge_token: tokenText() }),
      status: 200,
      reply: RequestReply,
      problems: ['invalid_token', 'not_found'],
      handle: async ({ body }) => reply(await beginSecondFactor(app, body.challenge_token)),
    }),
    route({
      method: 'post',
      path: '/reauthenticate/passkey/options',
      tag: 'Sign-in',
      summary: 'Begin to show a passkey again within the session',
      description: 'What comes of it goes to POST /reauthenticate as passkey.',
      security: bearer(),
      status: 200,
      reply: RequestReply,
      problems: ['not_found'],
      handle: async ({ principal }) => reply(await beginAgain(app, principal)),
    }),
  ];
}

/**
 * Where password managers send people; nothing of it is secret, and it is never a redirect (R10).
 * @see https://www.w3.org/TR/passkey-endpoints/
 */
function endpointsRoute({ config }: PasskeyApp): AnyRoute {
  const { enroll_url: enroll, manage_url: manage } = config.passkeys;
  const endpoints = jsonDocument({
    ...(enroll === undefined ? {} : { enroll }),
    ...(manage === undefined ? {} : { manage }),
  });
  return document({
    path: '/.well-known/passkey-endpoints',
    tag: 'Services',
    summary: 'Where users add and manage passkeys, for password managers',
    description:
      'passkeys.enroll_url and passkeys.manage_url, as far as they are set. Password managers ask the host that is passkeys.rp_id.',
    contentType: 'application/json',
    maxAgeSeconds: 3600,
    problems: [],
    current: () => endpoints,
  });
}

export function passkeyRoutes(app: PasskeyApp): readonly AnyRoute[] {
  return [...ownRoutes(app), ...signInRoutes(app), endpointsRoute(app)];
}
