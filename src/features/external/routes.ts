/** /login/external and /me/identities. */
import * as z from 'zod';
import type { FactorListing } from '../../core/factor/factor.ts';
import type { Kernel } from '../../core/kernel.ts';
import { resourceMember, rfc3339, text, timestamp, tokenText } from '../../http/fields.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { AuthenticationReply } from '../../http/schemas.ts';
import { cookieMember, deliver, demandCookies } from '../../http/token-transport.ts';
import { Refusal } from '../../refusal.ts';
import { linkIdentity, unlinkIdentity } from './link-identity.ts';
import { NONCE_TTL_SECONDS, newNonce } from './nonce.ts';
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

const proofMembers = {
  id_token: tokenText().meta({ description: 'As the provider issued it.' }),
  nonce: text({ min: 1, max: 128 }).meta({
    description: 'From POST /login/external/{provider}/nonce; the ID token has it too.',
  }),
};

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

function signInRoutes(
  kernel: Kernel,
  offered: Offered,
  settings: ExternalSettings,
): readonly AnyRoute[] {
  const { cookies } = settings;
  const signIn = signInExternally(kernel, settings);
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
        return { nonce: newNonce(kernel, provider.name), expires_in: NONCE_TTL_SECONDS };
      },
    }),
    route({
      method: 'post',
      path: '/login/external/{provider}',
      limit: 'login',
      tag: 'Sign-in',
      summary: 'Sign in with an ID token of an outside provider',
      description:
        'The first sign-in creates the account. If its verified address belongs to another account, the answer is account_exists: the user signs in there and links the identity with POST /me/identities/{provider}. A second factor of the account is asked for as after a password.',
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
        const { id_token: idToken, nonce, resource, cookie } = call.body;
        const provider = demandProvider(offered, call.params['provider']);
        demandCookies(cookies, call, cookie);
        const context = kernel.context(call, kernel.audiences.ofRequest(resource));
        return deliver(call, await signIn(context, provider, { idToken, nonce }), cookie);
      },
    }),
  ];
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
        const { id_token: idToken, nonce } = call.body;
        const { provider } = demandProvider(offered, call.params['provider']);
        return identityReply(await link(kernel.context(call), provider, { idToken, nonce }));
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
  return [...signInRoutes(kernel, offered, settings), ...ownRoutes(kernel, offered)];
}
