/**
 * The OpenAPI document against the running service, judged by somebody else: Stoplight's Prism stands
 * between and holds every request and answer against docs/openapi.json. Its own script, for Prism is
 * fetched by npx: npm run test:openapi (which lints the document too).
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fetchOf } from '../../scripts/api-docs.mjs';
import { openStage, readAnswer, tellStory } from '../support/api-story.ts';
import type { Stage } from '../support/api-story.ts';
import { freePort } from '../support/peers.ts';
import { PASSWORD, eventually } from '../support/process.ts';
import type { Server } from '../support/process.ts';

const DOCUMENT = fileURLToPath(new URL('../../docs/openapi.json', import.meta.url));
const PRISM = '@stoplight/prism-cli@5.14.2';

interface Violation {
  readonly location: readonly string[];
  readonly message: string;
}

interface Operation {
  readonly security: readonly object[];
  readonly requestBody?: {
    readonly content: Readonly<
      Record<string, { readonly examples?: Readonly<Record<string, { readonly value: unknown }>> }>
    >;
  };
}

describe.skipIf(process.env['POSTERN_OPENAPI_PROXY'] !== '1')('behind a validating proxy', () => {
  let stage: Stage;
  let server: Server;
  let proxy: ChildProcess;
  let port: number;
  let count = 0;
  /** Violations of requests that were wrong on purpose: the proxy does look. */
  let refusedByProxy = 0;

  beforeAll(async () => {
    stage = await openStage();
    server = await stage.start();
    port = await freePort();
    const args = ['--yes', PRISM, 'proxy', DOCUMENT, server.url, '--port', String(port)];
    // A group of its own: npx does not hand signals on.
    proxy = spawn('npx', args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    proxy.stdout?.on('data', (chunk) => (said += String(chunk)));
    proxy.stderr?.on('data', (chunk) => (said += String(chunk)));
    await eventually(() => {
      if (proxy.exitCode !== null) throw new Error(said);
      return said.includes('Prism is listening');
    }, 110_000);
  });
  afterAll(async () => {
    if (proxy?.pid !== undefined) process.kill(-proxy.pid, 'SIGTERM');
    await server?.stop();
    await stage?.close();
  });

  const violationsOf = (response: Response): readonly Violation[] => {
    count++;
    return JSON.parse(response.headers.get('sl-violations') ?? '[]');
  };
  const throughProxy = (input: string, init?: RequestInit): Promise<Response> =>
    fetch(input.replace(server.url, `http://127.0.0.1:${port}`), init);

  test('the story of docs/api: neither a request nor an answer is against the document', async () => {
    const found: unknown[] = [];
    await tellStory({ server, mailed: stage.mailed, issuer: stage.issuer }, async (step, live) => {
      const globals = { fetch: throughProxy, URLSearchParams, btoa };
      const response: Response = await runInNewContext(live(fetchOf(step)), globals);
      const violations = violationsOf(response);
      if (violations.length > 0) found.push([step.route, step.title, violations]);
      return readAnswer(response.status, await response.text());
    });
    expect(found).toEqual([]);
  });

  /** Sends it; the violations of the answer, and of the request where it was to fit. */
  const tryOut = async ({ method, path, token, sent }: Attempt) => {
    const response = await throughProxy(`${server.url}${path}`, {
      method,
      headers: {
        ...(sent === undefined ? {} : { 'content-type': sent.type }),
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(sent === undefined ? {} : { body: sent.text }),
    });
    await response.text();
    const all = violationsOf(response);
    const violations = all.filter(({ location }) => location[0] !== 'request');
    refusedByProxy += all.length - violations.length;
    return { status: response.status, violations };
  };

  test('what does not fit, with and without tokens: every answer is one that the document declares', async () => {
    const { access } = await server.register('walker', PASSWORD);
    const document = JSON.parse(readFileSync(DOCUMENT, 'utf8'));
    const found: unknown[] = [];
    const statuses: Record<number, number> = {};
    for (const attempt of attempts(document.paths, access)) {
      const { status, violations } = await tryOut(attempt);
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (violations.length > 0) found.push([attempt, status, violations]);
    }
    expect(found).toEqual([]);
    expect(refusedByProxy).toBeGreaterThan(100);
    expect(count).toBeGreaterThanOrEqual(200);
    // Diverse: successes, and most kinds of refusals.
    expect(Object.keys(statuses)).toEqual(
      expect.arrayContaining(['200', '400', '401', '404', '422']),
    );
    console.log(`${count} requests: ${JSON.stringify(statuses)}`);
  });
});

interface Sent {
  readonly type: string;
  readonly text: string;
}

const JSON_TYPE = 'application/json';

/** Bodies that a client could get wrong, made of the examples: one member at a time. */
function* bodiesFor({ requestBody }: Operation): Generator<Sent | undefined> {
  yield undefined;
  const example = Object.values(requestBody?.content[JSON_TYPE]?.examples ?? {})[0]?.value;
  if (typeof example !== 'object' || example === null) return;
  const json = (value: unknown): Sent => ({ type: JSON_TYPE, text: JSON.stringify(value) });
  yield json({});
  yield json(example);
  yield json({ ...example, stranger: true });
  yield { type: JSON_TYPE, text: '{"a":' };
  for (const name of Object.keys(example)) {
    yield json(Object.fromEntries(Object.entries(example).filter(([key]) => key !== name)));
    yield json({ ...example, [name]: 17 });
    yield json({ ...example, [name]: '' });
  }
}

interface Attempt {
  readonly method: string;
  readonly path: string;
  readonly token: string;
  readonly sent: Sent | undefined;
}

/** Each operation with each of its bodies, without a token, with a wrong one and with a good one. */
function* attempts(
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>,
  access: string,
): Generator<Attempt> {
  for (const [template, item] of Object.entries(paths)) {
    const path = template.replaceAll(/\{\w+\}/g, 'unknown');
    for (const [method, operation] of Object.entries(item)) {
      // Signing out would end what the others are tried with.
      const isEnd = path === '/logout/all' || (path === '/me' && method === 'delete');
      const tokens =
        operation.security.length === 0 ? [''] : ['', 'x.y.z', ...(isEnd ? [] : [access])];
      for (const token of tokens)
        for (const sent of bodiesFor(operation))
          yield { method: method.toUpperCase(), path, token, sent };
    }
  }
}
