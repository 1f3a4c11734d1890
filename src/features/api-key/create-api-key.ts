/** Creates an API key: its secret is in the result and can't be read again. */
import { recorded } from '../../core/audit/audited-event.ts';
import { insertApiKey } from '../../core/api-key/api-key.ts';
import type { ApiKey } from '../../core/api-key/api-key.ts';
import type { ApiKeyScope } from '../../core/api-key/scope.ts';
import { newApiKeySecret } from '../../core/api-key/secret.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { hashSecret } from '../../crypto/secret.ts';
import { isId } from '../../lib/id.ts';
import type { JsonObject } from '../../lib/json.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly ApiKeyScope[];
  /** Milliseconds from now; null for a key that never expires. */
  readonly lifetimeMs: number | null;
  readonly audiences: readonly string[];
  readonly mayExchangeTo: readonly string[];
  readonly claims: JsonObject;
}

/** The default lifetime (D4). */
export const DEFAULT_LIFETIME_MS = 90 * 86_400_000;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Its function throws {Refusal} invalid_request, and conflict: a valid key has the name. */
export function createApiKey({
  clock,
  random,
  newId,
  commit,
}: Pick<Kernel, 'clock' | 'random' | 'newId' | 'commit'>) {
  return async (
    context: Context,
    input: NewApiKey,
  ): Promise<{ readonly key: ApiKey; readonly secret: string }> => {
    const { name, scopes, lifetimeMs, audiences, mayExchangeTo, claims } = input;
    if (!NAME.test(name) || isId(name.toLowerCase())) {
      const detail =
        'Use 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or a digit; not the form of an id.';
      throw invalidRequest({ pointer: '/name', code: 'invalid', detail });
    }
    if (scopes.length === 0 && audiences.length === 0) {
      const detail = 'Name at least one scope, or an audience.';
      throw invalidRequest({ pointer: '/scopes', code: 'required', detail });
    }
    const now = clock.now();
    const secret = newApiKeySecret(random);
    const key: ApiKey = {
      id: newId(),
      name,
      scopes: [...new Set(scopes)],
      audiences: [...new Set(audiences)],
      mayExchangeTo: [...new Set(mayExchangeTo)],
      claims,
      createdAt: now,
      expiresAt: lifetimeMs === null ? null : now + lifetimeMs,
      lastUsedAt: null,
      revokedAt: null,
    };
    try {
      await commit(context, [
        insertApiKey(key, hashSecret(secret)),
        recorded('api_key.created', 'an API key was created', { 'api_key.subject': key.id }),
      ]);
    } catch (cause) {
      if (!(cause instanceof Refusal) || cause.code !== 'conflict') throw cause;
      const detail = 'An API key of this name is in use. Choose another name, or revoke that one.';
      throw new Refusal('conflict', { detail, cause });
    }
    return { key, secret };
  };
}
