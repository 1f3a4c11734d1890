/** API keys over HTTP, for programs of those who run the service. */
import * as z from 'zod';
import { isLiveKey, listApiKeys } from '../../core/api-key/api-key.ts';
import type { ApiKey } from '../../core/api-key/api-key.ts';
import { API_KEY_SCOPES } from '../../core/api-key/scope.ts';
import { apiKeyText } from '../../core/api-key/secret.ts';
import type { Kernel } from '../../core/kernel.ts';
import { demandClaims } from '../../core/user/claims.ts';
import { metadata, rfc3339, text, timestamp } from '../../http/fields.ts';
import { apiKey, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { isId } from '../../lib/id.ts';
import { Refusal } from '../../refusal.ts';
import { DEFAULT_LIFETIME_MS, createApiKey } from './create-api-key.ts';
import { revokeApiKey } from './revoke-api-key.ts';

const security = apiKey('admin');
const tag = 'Administration';

const MAX_EXPIRES_IN = 400 * 86_400;

const audience = text({ min: 1, max: 255 });

const keyShape = {
  id: z.string(),
  name: z.string(),
  state: z.enum(['active', 'expired', 'revoked']),
  scopes: z.array(z.enum(API_KEY_SCOPES)).readonly(),
  audiences: z.array(z.string()).readonly(),
  may_exchange_to: z.array(z.string()).readonly(),
  claims: z.record(z.string(), z.unknown()),
  created_at: timestamp,
  expires_at: timestamp.nullable().meta({ description: 'Null: it never expires.' }),
  last_used_at: timestamp.nullable().meta({ description: 'To about a minute.' }),
  revoked_at: timestamp.nullable(),
};

const ApiKeyReply = z.object(keyShape).meta({ id: 'ApiKey' });

const NewApiKeyReply = z
  .object({
    ...keyShape,
    key: z.string().meta({ description: 'id:secret, as curl -u takes it. Shown this once.' }),
  })
  .meta({ id: 'NewApiKey' });

const time = (milliseconds: number | null): string | null =>
  milliseconds === null ? null : rfc3339(milliseconds);

function stateOf(key: ApiKey, now: number): 'active' | 'expired' | 'revoked' {
  if (key.revokedAt !== null) return 'revoked';
  return isLiveKey(key, now) ? 'active' : 'expired';
}

/** An API key as the administration API and `--json` show it. */
export function apiKeyReply(key: ApiKey, now: number): z.input<typeof ApiKeyReply> {
  return {
    id: key.id,
    name: key.name,
    state: stateOf(key, now),
    scopes: key.scopes,
    audiences: key.audiences,
    may_exchange_to: key.mayExchangeTo,
    claims: key.claims,
    created_at: rfc3339(key.createdAt),
    expires_at: time(key.expiresAt),
    last_used_at: time(key.lastUsedAt),
    revoked_at: time(key.revokedAt),
  };
}

export function apiKeyRoutes(kernel: Kernel): readonly AnyRoute[] {
  const { db, clock } = kernel;
  const create = createApiKey(kernel);
  const revoke = revokeApiKey(kernel);
  return [
    route({
      method: 'get',
      path: '/admin/keys',
      tag,
      summary: 'List the API keys',
      description: 'Oldest first, never their secrets; revoked and expired ones for 90 days.',
      security,
      status: 200,
      reply: z.object({ keys: z.array(ApiKeyReply) }),
      problems: [],
      handle: async () => {
        const now = clock.now();
        return { keys: (await listApiKeys(db)).map((key) => apiKeyReply(key, now)) };
      },
    }),
    route({
      method: 'post',
      path: '/admin/keys',
      tag,
      summary: 'Create an API key',
      description: [
        'The answer alone has its secret. A key made over HTTP always expires; one that never',
        'does is made on the machine (postern apikey create --expires never).',
      ].join(' '),
      security,
      body: z.strictObject({
        name: text({ min: 1, max: 64 }).meta({
          description: 'Its purpose; of one valid key at most. A-Z a-z 0-9 . _ -',
        }),
        scopes: z.array(z.enum(API_KEY_SCOPES)).max(API_KEY_SCOPES.length).optional(),
        expires_in: z.number().int().min(60).max(MAX_EXPIRES_IN).optional().meta({
          description: 'Seconds; 90 days without.',
        }),
        audiences: z.array(audience).max(50).optional().meta({
          description: 'For which it may get tokens of its own.',
        }),
        may_exchange_to: z.array(audience).max(50).optional().meta({
          description: "For which it may exchange users' tokens.",
        }),
        claims: metadata().optional().meta({ description: 'Claims of its own tokens.' }),
      }),
      status: 201,
      reply: NewApiKeyReply,
      problems: ['conflict'],
      handle: async (call) => {
        const { body } = call;
        const { key, secret } = await create(kernel.context(call), {
          name: body.name,
          scopes: body.scopes ?? [],
          lifetimeMs: body.expires_in === undefined ? DEFAULT_LIFETIME_MS : body.expires_in * 1000,
          audiences: body.audiences ?? [],
          mayExchangeTo: body.may_exchange_to ?? [],
          claims: demandClaims(body.claims ?? {}, '/claims'),
        });
        return { ...apiKeyReply(key, clock.now()), key: apiKeyText({ id: key.id, secret }) };
      },
    }),
    route({
      method: 'delete',
      path: '/admin/keys/{id}',
      tag,
      summary: 'Revoke an API key',
      description: 'By its id. The next request with it is refused, in every process.',
      security,
      status: 204,
      problems: ['not_found'],
      handle: async (call) => {
        const id = call.params['id'] ?? '';
        if (!isId(id)) throw new Refusal('not_found');
        await revoke(kernel.context(call), id);
      },
    }),
  ];
}
