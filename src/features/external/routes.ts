/** /login/external and /me/identities. */
import * as z from 'zod';
import type { FactorListing } from '../../core/factor/factor.ts';
import type { Kernel } from '../../core/kernel.ts';
import { resourceMember, rfc3339, timestamp } from '../../http/fields.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { AuthenticationReply } from '../../http/schemas.ts';
import { cookieMember, deliver, demandCookies } from '../../http/token-transport.ts';
import { Refusal } from '../../refusal.ts';
import { FLOW_TTL_SECONDS, startFlow } from './flow.ts';
import { linkIdentity, unlinkIdentity } from './link-identity.ts';
import { NONCE_TTL_SECONDS, newNonce } from './nonce.ts';
import { proofIn, proofMembers } from './proof-members.ts';
import type { ExternalSettings, OfferedProvider } from './settings.ts';
import { signInExternally } from './sign-in.ts';
import { listIdentities } from './store.ts';
import type { Identity } from './store.ts';

type Offered = ReadonlyMap<string, OfferedProvider>;

/** @throws {Refusal} not_found: no section of the configuration has this name */
function demandProvider(offered: Offered, name: string | undefined): OfferedProvider {
  const found = offered.get(name ?? '');
  if (found === undefined) throw new Refusal('not_found');
  return found;
}

const IdentityReply = z
  .object({
    provider: z.string(),
    issuer: z.string(),
    subject: z.string().meta({ description: 'The `sub` at the issuer.' }),
    email: z.string().nullable().meta({
      description: 'The address that the provider named when it was linked.',
    }),
    created_at: timestamp,
    last_used_at: timestamp.nullable(),
  })
  .meta({ id: 'Identity' });

const identityReply = (identity: Identity): z.input<typeof IdentityReply> => ({
  provider: identity.provider,
  issuer: identity.issuer,
  subject: identity.subject,
  email: identity.email,
  created_at: rfc3339(identity.createdAt),
  last_used_at: identity.lastUsedAt === null ? null : rfc3339(identity.lastUsedAt),
});

/** The identities of a user, for operators and for a data request. */
export const identityListing = ({ db }: Kernel): FactorListing => ({
  shape: { identities: z.array(IdentityReply) },
  list: async (user) => ({ identities: (await listIdentities(db, user.id)).map(identityReply) }),
});

/** What a page asks for before the user leaves for the provider. */
function beginRoutes(kernel: Kernel, offered: Offered): readonly AnyRoute[] {
  const start = startFlow(kernel);
  return [
    route({
      method: 'post',
      path: '/login/external/{provider}/nonce',
      limit: 'login',
      tag: 'Sign-in',
      summary: 'Get a nonce for an ID token',
      description:
        'Ask the provider for an ID token with this nonce. It is good for one sign-in or one link.',
      security: 'public',
      status: 200,
      reply: z
        .object({ nonce: z.string(), expires_in: z.number().int() })
        .meta({ id: 'ExternalNonce' }),
      problems: ['not_found'],
      handle: ({ params }) => {
        const { provider } = demandProvider(offered, params['provider']);
        if (provider.idTokens === null) throw new Refusal('not_found');
        return { nonce: newNonce(kernel, provider.name), expires_in: NONCE_TTL_SECONDS };
      },
    }),
    route({
      method: 'post',
      path: '/login/external/{provider}/start',
      limit: 'login',
      tag: 'Sign-in',
      summary: 'Start a sign-in with a code of an outside provider',
      description:
        'The page keeps flow (in sessionStorage) and sends the browser to url. What the provider sends back to redirect_uri goes, with flow, to POST /login/external/{provider}, to POST /me/identities/{provider} or to POST /reauthenticate. It is good for one of them.',
      security: 'public',
      body: z.strictObject({
        redirect_uri: z
          .string()
          .max(2_048, 'No redirect_uri here is that long.')
          .optional()
          .meta({ description: 'One of redirect_uris of the provider, if there are several.' }),
      }),
      bodyOptional: true,
      status: 200,
      reply: z
        .object({ url: z.string(), flow: z.string(), expires_in: z.number().int() })
        .meta({ id: 'ExternalFlow' }),
      problems: ['not_found', 'overloaded', 'provider_unavailable'],
      handle: async ({ params, body }) => {
        const { provider } = demandProvider(offered, params['provider']);
        const started = await start(provider, body.redirect_uri);
        return { ...started, expires_in: FLOW_TTL_SECONDS };
      },
    }),
  ];
}

function signInRoute(kernel: Kernel, offered: Offered, settings: ExternalSettings): AnyRoute {
  const { cookies } = settings;
  const signIn = signInExternally(kernel, settings);
  return route({
    method: 'post',
    path: '/login/external/{provider}',
    limit: 'login',
    tag: 'Sign-in',
    summary: 'Sign in with an outside provider',
    description:
      'With id_token and nonce, or with code, state, flow and, if the provider sent it, iss. The first sign-in creates the account. If its verified address belongs to another account, the answer is account_exists: the user signs in there and links the identity with POST /me/identities/{provider}. A second factor of the account is asked for as after a password.',
    security: 'public',
    body: z.strictObject({ ...proofMembers, resource: resourceMember, cookie: cookieMember }),
    status: 200,
    reply: AuthenticationReply,
    problems: [
      'not_found',
      'invalid_credentials',
      'invalid_target',
      'account_exists',
      'account_disabled',
      'password_change_required',
      'mfa_enrolment_required',
      'registration_closed',
      'origin_not_allowed',
      'provider_unavailable',
    ],
    handle: async (call) => {
      const { resource, cookie, ...members } = call.body;
      const provider = demandProvider(offered, call.params['provider']);
      const input = proofIn(members);
      demandCookies(cookies, call, cookie);
      const context = kernel.context(call, kernel.audiences.ofRequest(resource));
      return deliver(call, await signIn(context, provider, input), cookie);
    },
  });
}

function ownRoutes(kernel: Kernel, offered: Offered): readonly AnyRoute[] {
  const link = linkIdentity(kernel);
  const unlink = unlinkIdentity(kernel);
  return [
    route({
      method: 'get',
      path: '/me/identities',
      tag: 'Account',
      summary: 'List the identities at outside providers',
      security: bearer(),
      status: 200,
      reply: z.object({ identities: z.array(IdentityReply) }).meta({ id: 'Identities' }),
      problems: [],
      handle: async ({ principal: { user } }) => ({
        identities: (await listIdentities(kernel.db, user.id)).map(identityReply),
      }),
    }),
    route({
      method: 'post',
      path: '/me/identities/{provider}',
      renewsDevice: true,
      limit: 'login',
      tag: 'Account',
      summary: 'Link an identity at an outside provider',
      description: 'From then on it signs in to this account. The other sessions end.',
      security: bearer({ fresh: true }),
      body: z.strictObject(proofMembers),
      status: 201,
      reply: IdentityReply,
      problems: [
        'not_found',
        'invalid_credentials',
        'identity_taken',
        'conflict',
        'provider_unavailable',
      ],
      handle: async (call) => {
        const { provider } = demandProvider(offered, call.params['provider']);
        const input = proofIn(call.body);
        return identityReply(await link(kernel.context(call), provider, input));
      },
    }),
    route({
      method: 'delete',
      path: '/me/identities/{provider}',
      renewsDevice: true,
      tag: 'Account',
      summary: 'Unlink an identity at an outside provider',
      description:
        'The other sessions end. The identity stays if nobody could sign in to the account without it.',
      security: bearer({ fresh: true }),
      status: 204,
      problems: ['not_found', 'last_sign_in_method', 'conflict'],
      handle: (call) => unlink(kernel.context(call), call.params['provider'] ?? ''),
    }),
  ];
}

export function externalRoutes(
  kernel: Kernel,
  offered: Offered,
  settings: ExternalSettings,
): readonly AnyRoute[] {
  return [
    ...beginRoutes(kernel, offered),
    signInRoute(kernel, offered, settings),
    ...ownRoutes(kernel, offered),
  ];
}
