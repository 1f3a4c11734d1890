/** API keys for tests: made as the command line makes them, and presented as services do. */
import type { ApiKeyScope } from '../../src/core/api-key/scope.ts';
import { createApiKey } from '../../src/features/api-key/create-api-key.ts';
import type { JsonObject } from '../../src/lib/json.ts';
import { operator } from './app.ts';
import type { Reply, TestApp } from './app.ts';

export interface MadeKey {
  readonly id: string;
  readonly secret: string;
  /** As it was shown. */
  readonly text: string;
  /** The headers of HTTP Basic. */
  readonly basic: { readonly authorization: string };
}

export interface KeyOptions {
  readonly scopes?: readonly ApiKeyScope[];
  readonly lifetimeMs?: number | null;
  readonly audiences?: readonly string[];
  readonly mayExchangeTo?: readonly string[];
  readonly claims?: JsonObject;
}

export function basicOf(id: string, secret: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` };
}

export async function makeKey(
  app: TestApp,
  name: string,
  { scopes = ['introspect'], lifetimeMs = 86_400_000, ...rest }: KeyOptions = {},
): Promise<MadeKey> {
  const { key, secret } = await createApiKey(app.kernel)(operator, {
    name,
    scopes,
    lifetimeMs,
    audiences: [],
    mayExchangeTo: [],
    claims: {},
    ...rest,
  });
  return {
    id: key.id,
    secret,
    text: `${key.id}:${secret}`,
    basic: basicOf(key.id, secret),
  };
}

/** Sends a form. */
export function postForm(
  app: Pick<TestApp, 'call'>,
  path: string,
  form: Readonly<Record<string, string>> | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  return app.call('POST', path, {
    raw: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  });
}
