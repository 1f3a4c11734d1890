/**
 * `postern apikey create
 * list
 * revoke`: keys for sibling services. They work beside a running service, which uses the change
 * from its next request on.
 */
import { contextOf, operatorCommit } from './operator-commit.ts';
import { listApiKeys } from '../core/api-key/api-key.ts';
import { API_KEY_SCOPES, isApiKeyScope } from '../core/api-key/scope.ts';
import type { ApiKeyScope } from '../core/api-key/scope.ts';
import { apiKeyText } from '../core/api-key/secret.ts';
import { demandClaims } from '../core/user/claims.ts';
import { DEFAULT_LIFETIME_MS, createApiKey } from '../features/api-key/create-api-key.ts';
import { apiKeyReply } from '../features/api-key/routes.ts';
import { revokeApiKey } from '../features/api-key/revoke-api-key.ts';
import { formatDuration, parseDuration } from '../lib/duration.ts';
import { Refusal } from '../refusal.ts';
import { claimsOption, explainRefusal } from './claims-option.ts';
import { confirm } from './confirm.ts';
import { CliRefusal, EXIT, usageRefusal } from './exit.ts';
import { withDatabase } from './state.ts';
import { YES } from './on-user.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb, VerbCall } from './verb.ts';
import { SILENT } from './with-app.ts';

const rfc3339 = (milliseconds: number | null): string | null =>
  milliseconds === null ? null : new Date(milliseconds).toISOString();

function scopesOf(call: VerbCall): readonly ApiKeyScope[] {
  return call.texts('scope').map((text) => {
    if (isApiKeyScope(text)) return text;
    throw usageRefusal(
      `--scope is one of ${API_KEY_SCOPES.join(', ')}`,
      'postern apikey create --help',
    );
  });
}

const LONGEST_MS = 3_650 * 86_400_000;

/** Null for never, which must be given explicitly. */
function lifetimeOf(call: VerbCall): number | null {
  const text = call.text('expires');
  if (text === undefined) return DEFAULT_LIFETIME_MS;
  if (text === 'never') return null;
  const lifetime = parseDuration(text);
  if (lifetime === undefined || lifetime < 60_000 || lifetime > LONGEST_MS)
    throw usageRefusal(
      '--expires is a duration from 1m to 3650d such as 90d, or never',
      'postern apikey create --help',
    );
  return lifetime;
}

export const apikeyCreate: Verb = {
  name: 'apikey create',
  summary: 'Creates an API key and prints it, only this once, as id:secret, which curl -u takes.',
  examples: [
    'postern apikey create billing --scope introspect > billing.key',
    'postern apikey create gateway --scope exchange --may-exchange-to https://billing.example.com --expires 30d',
  ],
  arguments: [{ name: '<name>', sentence: 'its purpose, such as the name of the service' }],
  options: [
    {
      flags: '--scope <scope>',
      sentence: `what it may do: ${API_KEY_SCOPES.join(', ')}; may be repeated`,
      isRepeatable: true,
    },
    {
      flags: '--expires <duration>',
      sentence: 'when it expires: a duration, or never',
      default: formatDuration(DEFAULT_LIFETIME_MS),
    },
    {
      flags: '--audience <audience>',
      sentence: 'an audience for which it may get tokens of its own; may be repeated',
      isRepeatable: true,
    },
    {
      flags: '--may-exchange-to <audience>',
      sentence: "an audience for which it may exchange users' tokens; may be repeated",
      isRepeatable: true,
      default: 'none',
    },
    {
      flags: '--claim <name=value>',
      sentence: 'a claim of its own tokens, the value as JSON; may be repeated',
      isRepeatable: true,
    },
    JSON_OPTION,
  ],
  run: async (call) => {
    const scopes = scopesOf(call);
    const lifetimeMs = lifetimeOf(call);
    const claims = claimsOption(call, 'claim');
    return withDatabase(call, async (db) => {
      const create = createApiKey(operatorCommit(call, db));
      try {
        const { key, secret } = await create(contextOf(call, SILENT), {
          name: call.arguments[0] ?? '',
          scopes,
          lifetimeMs,
          audiences: call.texts('audience'),
          mayExchangeTo: call.texts('may-exchange-to'),
          claims: demandClaims(claims),
        });
        const text = apiKeyText({ id: key.id, secret });
        if (call.has('json'))
          call.output.answerJson({ ...apiKeyReply(key, call.context.clock.now()), key: text });
        else call.output.answer(text);
        const end = key.expiresAt === null ? 'never expires' : `expires ${rfc3339(key.expiresAt)}`;
        call.output.progress(`${key.name} ${end}. The key is not shown again.`);
        return EXIT.done;
      } catch (error) {
        throw explainRefusal(error);
      }
    });
  },
};

export const apikeyList: Verb = {
  name: 'apikey list',
  summary: 'Lists the API keys with their scopes, end and last use; never their secrets.',
  examples: ['postern apikey list', 'postern apikey list --json | jq -r .name'],
  options: [JSON_OPTION],
  run: (call) =>
    withDatabase(call, async (db) => {
      const now = call.context.clock.now();
      const keys = await listApiKeys(db);
      for (const key of keys) {
        if (call.has('json')) call.output.answerJson(apiKeyReply(key, now));
        else
          call.output.answer(
            `${key.id}  ${key.name.padEnd(24)}  ${apiKeyReply(key, now).state.padEnd(7)}  ${key.scopes.join(',').padEnd(20)}  until ${rfc3339(key.expiresAt) ?? 'revoked'}  used ${rfc3339(key.lastUsedAt) ?? 'never'}`,
          );
      }
      if (!call.has('json'))
        call.output.progress(`${keys.length} ${keys.length === 1 ? 'API key' : 'API keys'}`);
      return EXIT.done;
    }),
};

export const apikeyRevoke: Verb = {
  name: 'apikey revoke',
  summary: 'Revokes an API key: the next request with it is refused.',
  examples: ['postern apikey revoke billing', 'postern apikey revoke billing --yes'],
  arguments: [{ name: '<key>', sentence: 'the name or the id of the key' }],
  options: [YES],
  run: async (call) => {
    await confirm(call, 'Every request with the key will be refused from now on.');
    return withDatabase(call, async (db) => {
      const revoke = revokeApiKey({ db, ...operatorCommit(call, db) });
      try {
        const revoked = await revoke(contextOf(call, SILENT), call.arguments[0] ?? '');
        call.output.answer(`${revoked.name} (${revoked.id}) is revoked.`);
        return EXIT.done;
      } catch (error) {
        if (error instanceof Refusal && error.code === 'not_found')
          throw new CliRefusal(
            EXIT.failed,
            'no API key of this name or id is in use. postern apikey list shows them.',
          );
        throw error;
      }
    });
  },
};
