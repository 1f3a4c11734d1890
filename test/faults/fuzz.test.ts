/**
 * Ten thousand requests that nobody would send, made of the service's own document and bent: no
 * answer is a 5xx but 503, each is JSON or empty, each carries the security headers, and afterwards
 * the service is as it was. FUZZ_SEED repeats a run.
 */
import { Agent, request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createChallengeTokens } from '../../src/core/token/challenge-token.ts';
import { makeKey } from '../support/api-key.ts';
import { createTestApp } from '../support/app.ts';
import type { SignedIn, TestApp } from '../support/app.ts';

const REQUESTS = 10_000;
const PARALLEL = 24;
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

let app: TestApp;
let users: SignedIn[];
const agent = new Agent({ keepAlive: true, maxSockets: PARALLEL });
beforeAll(async () => {
  app = await createTestApp({
    config:
      '[server]\ncors_origins = ["https://app.example.com"]\ntrusted_proxies = ["127.0.0.1"]\n[cookies]\nenabled = true\nallowed_origins = ["https://web.example.com"]\n',
  });
  users = [];
  // One after the other: from one address, a hundred at once are more than the queue takes.
  for (let i = 0; i < 100; i++) users.push(await app.register(`fuzzed${i}`));
});
afterAll(async () => {
  agent.destroy();
  await app.stop();
});

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly maxLength?: number;
  readonly $ref?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
}

interface Shot {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

const ODD_TEXT = [
  '',
  ' ',
  '\u0000',
  '\ud800',
  '\udfff\ud800',
  '\u2028',
  '\u0085',
  '\ufeff',
  '\u202e',
  'ß',
  'ﬁ',
  'İ',
  '𝒳',
  '\u0301'.repeat(50),
  'ﷺ'.repeat(20),
  '__proto__',
  'constructor',
  "' OR 1=1--",
  '${7*7}',
  '{{7*7}}',
  '%0d%0aX: y',
  '\r\nX: y',
  '<img src=x>',
  '../../etc/passwd',
  'null',
  'true',
  'NaN',
  'a@b',
  '"x y"@b.example',
  'fuzzed0',
  'FUZZED1',
];
const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }) },
  { weight: 3, arbitrary: fc.constantFrom(...ODD_TEXT) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 100, max: 40_000 }).map((length) => 'a'.repeat(length)),
  },
);
/** JSON of any kind. */
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 10 }),
  text,
  fc.constantFrom(
    null,
    true,
    0,
    -1,
    1e308,
    -0,
    [],
    {},
    [[]],
    { $ne: null },
    Number.MAX_SAFE_INTEGER + 1,
  ),
);

/** Values that a schema takes, more or less. */
function fitting(schema: Schema | undefined): fc.Arbitrary<unknown> {
  if (schema?.$ref !== undefined) return fitting(components[schema.$ref.split('/').at(-1) ?? '']);
  if (schema?.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema?.const !== undefined) return fc.constant(schema.const);
  if (schema?.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(fitting));
  switch (schema?.type) {
    case 'string':
      return fc.oneof(
        text,
        fc.constantFrom('correct horse battery staple', 'fuzzed2', 'ada@example.com'),
        fc.stringMatching(/^[a-z]{4,12}$/),
      );
    case 'boolean':
      return fc.boolean();
    case 'integer':
    case 'number':
      return fc.oneof(fc.integer(), fc.double());
    case 'array':
      return fc.array(fitting(schema.items), { maxLength: 5 });
    case 'object':
      return schema.properties === undefined
        ? fc.dictionary(text, anything, { maxKeys: 5 })
        : fc.record(
            Object.fromEntries(
              Object.entries(schema.properties).map(([name, of]) => [name, fitting(of)]),
            ),
            { requiredKeys: [...(schema.required ?? [])] },
          );
    default:
      return anything;
  }
}

/**
 * What a well-meaning caller sends: the required members, each with a value that could be right; of
 * a name or an address, one.
 */
function rightful(schema: Schema | undefined): fc.Arbitrary<unknown> {
  const values: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
    username: fc.stringMatching(/^[a-z]{6,12}$/),
    email: fc.stringMatching(/^[a-z]{6,12}$/).map((name) => `${name}@example.com`),
    token: fc.constantFrom(...users.map(({ access }) => access)),
    code: fc.stringMatching(/^\d{6}$/),
  };
  const required = schema?.required ?? [];
  const record = (names: readonly string[]) =>
    fc.record(
      Object.fromEntries(
        names.map((name) => [
          name,
          values[name] ??
            fc.constantFrom('correct horse battery staple', 'another horse battery staple'),
        ]),
      ),
    );
  const registers =
    required.includes('password') &&
    schema?.properties?.['username'] !== undefined &&
    schema.properties['email'] !== undefined;
  return registers
    ? fc.oneof(record([...required, 'username']), record([...required, 'email']))
    : record(required);
}

/**
 * Bodies of a route: fitting, with one member bent, with strangers in it, or nothing of the kind.
 */
function bodyOf(schema: Schema | undefined): fc.Arbitrary<Buffer | undefined> {
  const object = fitting(schema);
  const bent = fc
    .tuple(object, text, anything)
    .map(([base, name, value]) =>
      typeof base === 'object' && base !== null && !Array.isArray(base)
        ? { ...base, [Object.keys(base)[0] ?? name]: value }
        : value,
    );
  const stranger = fc
    .tuple(object, text, anything)
    .map(([base, name, value]) =>
      typeof base === 'object' && base !== null ? { ...base, [name]: value } : base,
    );
  const json = fc
    .oneof(
      { weight: 5, arbitrary: object },
      { weight: 3, arbitrary: bent },
      { weight: 2, arbitrary: stranger },
      { weight: 1, arbitrary: anything },
    )
    .map((value) => Buffer.from(JSON.stringify(value) ?? ''));
  const broken = fc.tuple(json, fc.nat(), fc.nat(255)).map(([bytes, at, byte]) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[at % copy.length] = byte;
    return at % 3 === 0 ? copy.subarray(0, at % (copy.length + 1)) : copy;
  });
  const twice = json.map((bytes) => Buffer.concat([bytes, bytes]));
  const right = rightful(schema).map((value) => Buffer.from(JSON.stringify(value)));
  return fc.oneof(
    { weight: 6, arbitrary: right },
    { weight: 10, arbitrary: json },
    { weight: 2, arbitrary: broken },
    { weight: 1, arbitrary: twice },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 1, arbitrary: fc.constant(Buffer.alloc(70_000, 0x20)) },
    { weight: 3, arbitrary: fc.constant(undefined) },
  );
}

function shots(): fc.Arbitrary<Shot> {
  const challenge = createChallengeTokens({
    signingKeys: app.kernel.signingKeys,
    clock: app.kernel.clock,
    issuer: 'https://auth.example.com',
  }).mint({
    id: 'c',
    userId: users[0]?.userId ?? '',
    epoch: 0,
    device: null,
    mustChange: false,
    presented: [],
  });
  const access = users.map((user) => user.access);
  const refresh = users.map((user) => user.refresh);
  const token = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...access) },
    { weight: 3, arbitrary: fc.constantFrom(...refresh, challenge, users[0]?.deviceToken ?? '') },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom(...access, ...refresh), fc.nat(), fc.nat(63))
        .map(
          ([good, at, by]) =>
            good.slice(0, at % good.length) +
            ('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.'[by] ?? '') +
            good.slice((at % good.length) + 1),
        ),
    },
    {
      weight: 1,
      arbitrary: fc.string({ unit: fc.constantFrom(...'aZ09._-~+/= ,;"'), maxLength: 300 }),
    },
  );
  // Header text is what Node would let through: Latin-1 without line ends.
  const headerText = fc.string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
    maxLength: 80,
  });
  const optional = <T>(arbitrary: fc.Arbitrary<T>, weight = 1) =>
    fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight, arbitrary });
  const headers = fc
    .record({
      authorization: optional(
        fc.oneof(
          { weight: 5, arbitrary: token.map((value) => `Bearer ${value}`) },
          { weight: 1, arbitrary: headerText },
        ),
        6,
      ),
      'x-request-id': optional(headerText),
      'user-agent': optional(headerText),
      'x-forwarded-for': optional(fc.oneof(fc.ipV4(), fc.ipV6(), headerText)),
      origin: optional(
        fc.constantFrom(
          'https://app.example.com',
          'https://web.example.com',
          'null',
          'https://evil.example',
        ),
        2,
      ),
      cookie: optional(token.map((value) => `__Host-refresh=${value}; __Host-device=x`)),
      'if-none-match': optional(fc.oneof(fc.constantFrom('*', '"x"', 'W/"x"', ','), headerText)),
      'content-encoding': optional(fc.constantFrom('gzip', 'identity', 'br')).filter(
        (value) => value === undefined || value.length > 0,
      ),
      accept: optional(headerText),
      'x-http-method-override': optional(fc.constantFrom('DELETE', 'PATCH')),
      'content-type': fc.oneof(
        { weight: 20, arbitrary: fc.constant('application/json') },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            'text/plain',
            'application/json; charset=utf-16',
            'multipart/form-data',
            '',
          ),
        },
        { weight: 1, arbitrary: headerText },
      ),
    })
    .map((record) =>
      Object.fromEntries(
        Object.entries(record).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value.trim()]],
        ),
      ),
    );
  const pathText = text.map((value) => encodeURIComponent(value.toWellFormed()).slice(0, 300));
  // Once for each route: made anew for each request they would take longer than the requests.
  const ofRoutes = app.routes.map((known) =>
    fc.record({
      method: fc.oneof(
        { weight: 12, arbitrary: fc.constant(known.method.toUpperCase()) },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            'GET',
            'HEAD',
            'POST',
            'PUT',
            'PATCH',
            'OPTIONS',
            'TRACE',
            'PROPFIND',
            'QUERY',
          ),
        },
      ),
      path: fc
        .tuple(
          pathText,
          fc.constantFrom(
            ...users.map((user) => user.sessionId),
            '00000000-0000-7000-8000-000000000000',
            'x',
          ),
          fc.nat(30),
        )
        .map(([odd, id, dice]) => {
          const filled = known.path.replace(/\{\w+\}/g, dice < 10 ? odd : id);
          if (dice === 30) return `${filled}/${odd}`;
          if (dice === 29) return `${filled}?${odd}`;
          if (dice === 28) return `/${filled}`;
          return dice === 27
            ? filled.replace(/[a-z]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`)
            : filled;
        }),
      body: bodyFor(
        known.kind === 'operation' && known.body !== undefined
          ? `${known.method} ${known.path}`
          : '',
      ),
      headers,
    }),
  );
  return fc.oneof(...ofRoutes);
}

let schemas = new Map<string, Schema>();
let components: Readonly<Record<string, Schema>> = {};
const bodies = new Map<string, ReturnType<typeof bodyOf>>();

/** Made once: a schema's arbitraries cost more than a request. */
function bodyFor(name: string): ReturnType<typeof bodyOf> {
  const made = bodies.get(name) ?? bodyOf(schemas.get(name));
  bodies.set(name, made);
  return made;
}

interface Fired {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const unescaped = (path: string): string =>
  path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
const isOauth = (path: string): boolean =>
  /^(?:https?:\/\/[^/]*)?\/(?:token|introspect|revoke)(?:\?|$)/i.test(unescaped(path));

/** Every other shot at an endpoint of OAuth's comes with a good key, and its body as a form. */
function asForm(shot: Shot, key: string): Shot {
  const { authorization: _, ...headers } = shot.headers;
  let { body } = shot;
  try {
    const value: unknown = JSON.parse(String(body));
    const members = typeof value === 'object' && value !== null ? Object.entries(value) : [];
    const form = new URLSearchParams();
    for (const [name, member] of members) form.append(name, String(member));
    body = Buffer.from(form.toString());
  } catch {
    // Bytes that are nothing go out as they are.
  }
  const type = 'application/x-www-form-urlencoded';
  return { ...shot, body, headers: { ...headers, 'postern-key': key, 'content-type': type } };
}

/** What is wrong with an answer, whatever was asked. */
function problemsOf({ status, headers, body }: Fired, path: string): string[] {
  const problems: string[] = [];
  if (status >= 500 && status !== 503) problems.push(`status ${status}`);
  if (status === 503 && !/"(?:overloaded|temporarily_unavailable)"/.test(body))
    problems.push('a 503 that is no overload');
  for (const [name, value] of [
    ['x-content-type-options', 'nosniff'],
    ['referrer-policy', 'no-referrer'],
    ['cross-origin-resource-policy', 'same-origin'],
    [
      'content-security-policy',
      "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox",
    ],
    ['strict-transport-security', 'max-age=31536000; includeSubDomains'],
  ] as const) {
    if (headers[name] !== value) problems.push(`${name} is ${String(headers[name])}`);
  }
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(String(headers['x-request-id'])))
    problems.push('no request id');
  if (headers['cache-control'] === undefined) problems.push('no cache-control');
  if (headers['access-control-allow-origin'] === '*') problems.push('*');
  if (body !== '' && !/^(?:-----BEGIN PUBLIC KEY|eyJ)/.test(body)) {
    try {
      JSON.parse(body);
    } catch {
      problems.push('a body that is no JSON');
    }
  }
  const isRefused = status >= 400 && body !== '';
  const types = ['application/problem+json', ...(isOauth(path) ? ['application/json'] : [])];
  if (isRefused && !types.includes(String(headers['content-type'])))
    problems.push(`a refusal as ${String(headers['content-type'])}`);
  return problems;
}

function fire(shot: Shot): Promise<Fired> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      app.url,
      {
        agent,
        method: shot.method,
        path: shot.path,
        headers: {
          ...shot.headers,
          ...(shot.body === undefined ? {} : { 'content-length': shot.body.length }),
        },
        timeout: 15_000,
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        );
        answer.on('error', reject);
      },
    );
    sent.on('timeout', () => sent.destroy(new Error('no answer in 15 s')));
    sent.on('error', reject);
    sent.end(shot.body);
  });
}

test(`${REQUESTS} requests, seed ${SEED}`, { timeout: 120_000 }, async () => {
  console.log(`fuzz: FUZZ_SEED=${SEED}`);
  const { body: document } = await app.call('GET', '/openapi.json');
  components = document.components.schemas;
  schemas = new Map(
    Object.entries<
      Record<string, { requestBody?: { content: Record<string, { schema: Schema }> } }>
    >(document.paths).flatMap(([path, item]) =>
      Object.entries(item).flatMap(([method, { requestBody }]) =>
        requestBody === undefined
          ? []
          : [[`${method} ${path}`, Object.values(requestBody.content)[0]?.schema ?? {}] as const],
      ),
    ),
  );
  const key = await makeKey(app, 'fuzz', { scopes: ['introspect', 'exchange'] });
  const all = fc
    .sample(shots(), { numRuns: REQUESTS, seed: SEED })
    .map((shot, n) => (isOauth(shot.path) && n % 2 === 0 ? asForm(shot, key.text) : shot));
  const started = performance.now();
  const statuses = new Map<number, number>();
  const faults: unknown[] = [];
  let next = 0;
  let cut = 0;
  const judge = async (shot: Shot): Promise<void> => {
    const told = {
      method: shot.method,
      path: shot.path.slice(0, 200),
      headers: shot.headers,
      body: shot.body?.toString('latin1').slice(0, 300),
    };
    let answer: Fired;
    try {
      answer = await fire(shot);
    } catch (error) {
      // Who sends on after a refusal may find the connection closed; that is no fault unless it is
      // all that ever happens.
      const code = error instanceof Error && 'code' in error ? error.code : String(error);
      if (code === 'ECONNRESET' || code === 'EPIPE') cut++;
      else faults.push({ ...told, error: String(error) });
      return;
    }
    const { status, body } = answer;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const problems = problemsOf(answer, shot.path);
    if (problems.length > 0) faults.push({ ...told, status, problems, answer: body.slice(0, 300) });
  };
  const worker = async (): Promise<void> => {
    while (next < all.length) {
      const shot = all[next++];
      if (shot !== undefined) await judge(shot);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `fuzz: ${next} requests in ${seconds.toFixed(1)} s, ${cut} cut, ${JSON.stringify(Object.fromEntries([...statuses].sort(([a], [b]) => a - b)))}`,
  );
  expect(faults.slice(0, 5)).toEqual([]);
  expect(next).toBe(REQUESTS);
  expect(cut).toBeLessThan(REQUESTS / 20);
  // It hit something: successes, and every kind of refusal.
  for (const status of [200, 201, 202, 204, 400, 401, 404, 405, 410, 413, 415, 422])
    expect([status, (statuses.get(status) ?? 0) > 0]).toEqual([status, true]);
  expect(
    app.log
      .filter(({ event }) => event === 'request.failed' || event === 'problem.undeclared')
      .slice(0, 3),
  ).toEqual([]);
  const after = await app.register('after-the-storm');
  expect((await app.call('GET', '/me', { token: after.access })).status).toBe(200);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  const [integrity] = await app.db.read({
    sql: 'PRAGMA integrity_check',
    params: [],
    map: (rows) => rows.map((row) => String(row[0])),
    returns: true,
  });
  expect(integrity).toBe('ok');
});
