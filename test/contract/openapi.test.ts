/** The OpenAPI document: valid, whole, and true of every answer. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { features } from '../../src/features/index.ts';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import { assert, create } from '../support/authenticator.ts';
import { makeKey } from '../support/api-key.ts';
import type { MadeKey } from '../support/api-key.ts';
import { codeAt } from '../support/mfa.ts';
import type { CallOptions, Reply, TestApp } from '../support/app.ts';

interface Response {
  readonly description: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, { readonly schema?: object }>>;
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security: readonly unknown[];
  readonly parameters?: readonly { readonly $ref?: string }[];
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: object }>>;
  };
  readonly responses: Readonly<Record<string, Response & { readonly $ref?: string }>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>;
    readonly responses: Readonly<Record<string, Response>>;
  };
}

let app: TestApp;
let document: Document;
let ajv: Ajv2020;
beforeAll(async () => {
  app = await createTestApp({
    config:
      '[otp]\nlink = true\n[otp.email]\nenabled = true\n[sms]\ncountries = ["DE"]\ntransports = ["file"]\n[otp.sms]\nenabled = true\n[cookies]\nenabled = true\nallowed_origins = ["https://web.example.com"]\n[audiences."https://billing.example.com"]\n',
  });
  document = (await app.call('GET', '/openapi.json')).body;
  ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema({ $id: 'postern', components: document.components });
});
afterAll(() => app.stop());

const operations = (): { name: string; path: string; method: string; operation: Operation }[] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      method,
      operation,
    })),
  );

/** A response, or the shared one that it points to. */
const responseOf = (operation: Operation | undefined, status: string): Response | undefined => {
  const own = operation?.responses[status];
  const shared = own?.$ref?.replace('#/components/responses/', '');
  return shared === undefined ? own : document.components.responses[shared];
};

/** The schema with its references pointing into the document's components. */
const rooted = (schema: object): object =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"postern#/components'));

describe('the document', () => {
  test('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(
      structuredClone(document) as unknown as Record<string, unknown>,
    );
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
  });

  test('has every route of the service and nothing else', () => {
    expect(
      operations()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(app.routes.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort());
  });

  test('says of each who may call it, and names no two alike', () => {
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { name, operation, method, path } of operations()) {
      const route = app.routes.find(
        (candidate) => candidate.method === method && candidate.path === path,
      );
      const security = route?.kind === 'document' ? 'public' : route?.security;
      const isPublic = security === 'public';
      const asked =
        typeof security === 'object' && security.scheme === 'api_key'
          ? [{ api_key_basic: [] }, { api_key_header: [] }]
          : [{ bearer: [] }];
      const readsCookie = route?.kind !== 'document' && route?.readsCookie === true;
      const open = readsCookie ? [{ refresh_cookie: [] }, {}] : [];
      expect([name, operation.security]).toEqual([name, isPublic ? open : asked]);
      if (!isPublic) expect([name, operation.responses['401'] !== undefined]).toEqual([name, true]);
      expect(operation.summary.length).toBeGreaterThan(3);
      expect(operation.tags.length).toBe(1);
    }
  });

  test('refuses unknown members wherever a body is taken (ASVS 15.3.3)', () => {
    for (const { name, operation } of operations()) {
      const schema = operation.requestBody?.content['application/json']?.schema;
      if (schema !== undefined)
        expect([name, schema]).toEqual([
          name,
          expect.objectContaining({ additionalProperties: false }),
        ]);
    }
  });

  test('every reference resolves, and every component is referenced', () => {
    const text = JSON.stringify(document);
    const referred = new Set(
      [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name),
    );
    expect(
      [...referred].filter((name) => document.components.schemas[name ?? ''] === undefined),
    ).toEqual([]);
    expect(Object.keys(document.components.schemas).filter((name) => !referred.has(name))).toEqual(
      [],
    );
    for (const schema of Object.values(document.components.schemas))
      expect(() => ajv.compile(rooted(schema))).not.toThrow();
  });

  test('every status of trouble that has to say when, or who, says so', () => {
    for (const { name, operation } of operations()) {
      for (const [status, header] of [
        ['429', 'Retry-After'],
        ['401', 'WWW-Authenticate'],
      ] as const) {
        if (operation.responses[status] !== undefined)
          expect([
            name,
            status,
            responseOf(operation, status)?.headers?.[header] !== undefined,
          ]).toEqual([name, status, true]);
      }
    }
  });
});

describe('a front-end that calls for its users', () => {
  test('routes of users name its headers and refusals, those of services their own key alone', () => {
    for (const { name, operation, path, method } of operations()) {
      const route = app.routes.find((one) => one.method === method && one.path === path);
      const isForUsers =
        route?.kind !== 'document' &&
        (route?.security === 'public' || route?.security.scheme === 'bearer');
      const headers = (operation.parameters ?? []).flatMap(({ $ref = '' }) =>
        $ref.split('/').at(-1),
      );
      expect([name, headers.filter((header) => header !== '')]).toEqual([
        name,
        isForUsers ? ['PosternKey', 'Forwarded'] : [],
      ]);
      if (isForUsers)
        for (const status of ['401', '403', '429'])
          expect([name, responseOf(operation, status)?.description]).toEqual([
            name,
            expect.stringMatching(/`(?:invalid_api_key|insufficient_scope|too_many_attempts)`/),
          ]);
    }
  });

  test('what it is refused with is what the document says', async () => {
    const wrong = await app.call('POST', '/login', {
      body: { username: 'x', password: PASSWORD },
      headers: { 'postern-key': 'x:y', forwarded: 'for=192.0.2.1' },
    });
    expect([wrong.status, wrong.body.code]).toEqual([401, 'invalid_api_key']);
    const other = await makeKey(app, 'no-caller', { scopes: ['introspect'] });
    const unfit = await app.call('GET', '/me', {
      headers: { 'postern-key': other.text },
    });
    expect([unfit.status, unfit.body.code]).toEqual([403, 'insufficient_scope']);
  });
});

describe('a feature that is off', () => {
  // Keys are the command line's alone, and administration has a document of its own.
  test.each(
    features
      .map(({ name }) => name)
      .filter((name) => !/^(?:api-key|admin|audit|import)$/.test(name)),
  )('%s: no path in the document, 404 at each, and the others as before', async (name) => {
    const own = await createTestApp({
      config:
        '[otp]\nlink = true\n[otp.email]\nenabled = true\n[sms]\ncountries = ["DE"]\ntransports = ["file"]\n[otp.sms]\nenabled = true\n',
      features: features.filter((feature) => feature.name !== name),
    });
    const left = new Set(own.routes.map(({ method, path }) => `${method} ${path}`));
    const gone = app.routes.filter(({ method, path }) => !left.has(`${method} ${path}`));
    expect(gone.length).toBeGreaterThan(0);
    const { body } = await own.call('GET', '/openapi.json');
    const paths = new Set(own.routes.map(({ path }) => path));
    for (const { method, path } of gone) {
      expect([path, body.paths[path]?.[method]]).toEqual([path, undefined]);
      const reply = await own.call(
        method.toUpperCase(),
        path.replace('{id}', 'x').replace('{kid}', 'x').replace('{n}', '0'),
        method === 'post' ? { body: {} } : {},
      );
      expect([method, path, reply.status]).toEqual([method, path, paths.has(path) ? 405 : 404]);
    }
    expect((await new Validator().validate(body)).valid).toBe(true);
    await own.stop();
  });
});

describe('every answer is one that the document declares', () => {
  /** Finds the operation, and holds the answer against it. */
  function expectDeclared(method: string, path: string, reply: Reply): void {
    const template =
      Object.keys(document.paths).find((candidate) =>
        new RegExp(`^${candidate.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
      ) ?? '';
    const operation = document.paths[template]?.[method.toLowerCase()];
    const response = responseOf(operation, String(reply.status));
    expect([`${method} ${template}`, reply.status, response !== undefined]).toEqual([
      `${method} ${template}`,
      reply.status,
      true,
    ]);
    const type = reply.headers.get('content-type');
    if (type === null) {
      expect([reply.body, response?.content]).toEqual(['', undefined]);
      return;
    }
    const media = response?.content?.[type];
    expect([method, template, reply.status, type, media !== undefined]).toEqual([
      method,
      template,
      reply.status,
      type,
      true,
    ]);
    if (media?.schema === undefined) return;
    const validate = ajv.compile(rooted(media.schema));
    expect([validate(reply.body), validate.errors ?? []]).toEqual([true, []]);
  }

  /** A body that the schema takes. */
  const bodies: Readonly<Record<string, () => object>> = {
    'POST /register': () => ({
      username: `walk-${Math.random().toString(36).slice(2)}`,
      password: PASSWORD,
      display_name: 'Walk',
      email: 'walk@example.com',
      user_metadata: { a: 1 },
    }),
    'POST /login': () => ({ username: 'walker', password: PASSWORD }),
    'POST /reauthenticate': () => ({ password: PASSWORD }),
    'POST /register/passkey/options': () => ({ username: 'walker' }),
    'POST /login/recovery-code': () => ({ username: 'walker', recovery_code: 'x' }),
    'POST /login/mfa': () => ({ challenge_token: 'x.y.z', totp: '000000' }),
    'POST /me/totp/confirm': () => ({ code: '000000' }),
    'POST /me/passkeys': () => ({
      challenge_id: 'x.y.z',
      credential: create({ challenge: 'AAAA', user: { id: 'AAAA' } }).credential,
      name: 'x',
    }),
    'PATCH /me/passkeys/{id}': () => ({ name: 'x' }),
    'POST /login/passkey/options': () => ({ username: 'walker' }),
    'POST /login/passkey': () => ({
      challenge_id: 'x.y.z',
      credential: assert(create({ challenge: 'AAAA', user: { id: 'AAAA' } }).made, {
        challenge: 'AAAA',
      }),
    }),
    'POST /login/otp': () => ({ email: 'walk@example.com' }),
    'POST /login/link': () => ({ token: 'x', otp_id: 'x' }),
    'POST /login/otp/verify': () => ({ otp_id: 'x', code: '000000' }),
    'POST /login/external/{provider}': () => ({ id_token: 'x.y.z', nonce: 'x' }),
    'POST /login/external/{provider}/start': () => ({}),
    'POST /me/identities/{provider}': () => ({ id_token: 'x.y.z', nonce: 'x' }),
    'POST /events/{stream}/poll': () => ({ returnImmediately: true, ack: ['x'] }),
    'POST /me/phone': () => ({ phone: '+4915120000000' }),
    'POST /me/phone/verify': () => ({ otp_id: 'x', code: '000000' }),
    'POST /login/mfa/passkey/options': () => ({ challenge_token: 'x.y.z' }),
    'POST /me/password': () => ({
      current_password: PASSWORD,
      new_password: 'another horse battery staple',
    }),
    'POST /password/check': () => ({ password: PASSWORD }),
    'PATCH /me': () => ({ display_name: 'x' }),
    'POST /register/verify': () => ({ registration_id: 'x', code: '000000' }),
    'POST /register/resend': () => ({ registration_id: 'x' }),
    'POST /email/verify': () => ({ code: '000000' }),
    'POST /password/forgot': () => ({ username: 'walker' }),
    'POST /password/reset/check': () => ({ token: 'x' }),
    'POST /password/reset': () => ({ token: 'x', password: PASSWORD }),
    'POST /verify': () => ({ token: 'x.y.z' }),
    'POST /refresh': () => ({ refresh_token: 'x.y.z' }),
    'POST /logout': () => ({ refresh_token: 'x.y.z' }),
  };

  const FORM = 'application/x-www-form-urlencoded';
  const forms: Readonly<Record<string, string>> = {
    'POST /introspect': 'token=x.y.z',
    'POST /revoke': 'token=x.y.z',
    'POST /token': 'grant_type=client_credentials',
  };
  /** Right and wrong forms, with right and wrong keys. */
  const formVariants = (name: string, key: MadeKey, narrow: MadeKey): CallOptions[] => {
    const type = { 'content-type': FORM };
    const raw = forms[name] ?? '';
    return [
      { raw, headers: { ...type, ...key.basic } },
      { raw, headers: { ...type, ...narrow.basic } },
      { raw, headers: type },
      { raw: '%', headers: { ...type, ...key.basic } },
      { raw: 'a=b', headers: { ...type, ...key.basic } },
      { raw: 'a'.repeat(70_000), headers: { ...type, ...key.basic } },
      { raw, headers: { 'content-type': 'text/plain', ...key.basic } },
    ];
  };

  const isForm = ({ operation }: { operation: Operation }): boolean =>
    operation.requestBody?.content[FORM] !== undefined;

  const jsonOperations = () => operations().filter((one) => !isForm(one));

  test('a status list that is not there', async () => {
    expectDeclared('GET', '/status-lists/9', await app.call('GET', '/status-lists/9'));
  });

  test('the forms: right and wrong ones, with right and wrong keys', async () => {
    const key = await makeKey(app, 'walker', { audiences: ['https://billing.example.com'] });
    const narrow = await makeKey(app, 'narrow', { scopes: ['events'] });
    const asked = operations().filter(isForm);
    expect(asked.map(({ name }) => name).sort()).toEqual(Object.keys(forms).sort());
    for (const { name, path } of asked) {
      const replies: Reply[] = [];
      for (const variant of formVariants(name, key, narrow))
        replies.push(await app.call('POST', path, variant));
      for (const reply of replies) expectDeclared('POST', path, reply);
      expect([name, replies.map(({ status }) => status)]).toEqual([
        name,
        expect.arrayContaining([200, 400, 401, 413, 415]),
      ]);
    }
  });

  const BAD_BODIES: readonly CallOptions[] = [
    { raw: '{' },
    { raw: '[]' },
    { raw: '{"unknown":1}' },
    { raw: 'x', headers: { 'content-type': 'text/plain' } },
    { raw: `"${'a'.repeat(70_000)}"` },
  ];

  /** What a caller may send that is not usual, and no reason to fail. */
  const oddCalls = (method: string, token: CallOptions): CallOptions[] =>
    method === 'get'
      ? [{ ...token, headers: { 'if-none-match': '*' } }]
      : BAD_BODIES.map((bad) => ({ ...token, ...bad }));

  /** A path with the ids that it asks for: of the key that signs, else of nothing. */
  const withIds = (path: string): string =>
    path
      .replace('{id}', '00000000-0000-7000-8000-000000000000')
      .replace('{n}', '0')
      .replace('{kid}', app.kernel.signingKeys.published()[0]?.jwk.kid ?? '');

  test('a walk over all of them: right, without a token, with a bad one, stale, with bad bodies', async () => {
    await app.register('walker');
    const statuses = new Map<string, Set<number>>();
    for (const { name, path, method, operation } of jsonOperations()) {
      const seen = new Set<number>();
      statuses.set(name, seen);
      const send = async (options: CallOptions, target = path) => {
        const filled = withIds(target);
        const reply = await app.call(method.toUpperCase(), filled, options);
        expectDeclared(method.toUpperCase(), filled, reply);
        seen.add(reply.status);
      };
      const user = await app.register();
      const isBearer = operation.security.length > 0;
      const hasBody = operation.requestBody !== undefined;
      const body = hasBody ? { body: bodies[name]?.() } : {};
      if (hasBody) expect([name, bodies[name] !== undefined]).toEqual([name, true]);
      const token = isBearer ? { token: user.access } : {};
      const variants = oddCalls(method, token);
      const badTokens = [{}, { token: 'x.y.z' }, { token: user.refresh }];
      if (isBearer) variants.push(...badTokens.map((bad) => ({ ...body, ...bad })));
      const asBearer = async (): Promise<void> => {
        app.clock.advance(6 * 60_000);
        await send({ ...body, ...token });
        app.clock.advance(-6 * 60_000);
        if (path.includes('{id}')) await send(token, path.replace('{id}', user.sessionId));
        const other = await app.register();
        await send({ ...body, token: other.access });
        await app.call('POST', '/logout/all', { token: other.access });
        await send({ ...body, token: other.access });
      };
      for (const variant of variants) await send(variant);
      await (isBearer ? asBearer() : send(body));
      if (path.includes('{kid}')) await send({}, path.replace('{kid}', 'none'));
    }
    // Every operation came to its success here, but those that take a token or a code; these have
    // theirs below.
    const without = [...statuses]
      .filter(([, seen]) => Math.min(...seen) >= 300)
      .map(([name]) => name);
    expect(without.sort()).toEqual([
      'DELETE /me/identities/{provider}',
      'DELETE /me/passkeys/{id}',
      'DELETE /me/phone',
      'DELETE /me/totp',
      'GET /verify',
      'PATCH /me/passkeys/{id}',
      'POST /email/verify',
      'POST /events/{stream}/poll',
      'POST /login/external/{provider}',
      'POST /login/external/{provider}/nonce',
      'POST /login/external/{provider}/start',
      'POST /login/link',
      'POST /login/mfa',
      'POST /login/mfa/passkey/options',
      'POST /login/otp/verify',
      'POST /login/passkey',
      'POST /login/recovery-code',
      'POST /logout',
      'POST /me/identities/{provider}',
      'POST /me/passkeys',
      'POST /me/phone/verify',
      'POST /me/recovery-codes',
      'POST /me/totp/confirm',
      'POST /password/reset',
      'POST /password/reset/check',
      'POST /reauthenticate/passkey/options',
      'POST /refresh',
      'POST /register/verify',
    ]);
  });

  test('the answers that need a story', async () => {
    const user = await app.register();
    const send = async (method: string, path: string, options: CallOptions = {}) => {
      const reply = await app.call(method, path, options);
      expectDeclared(method, path, reply);
      return reply;
    };
    const origin = { origin: 'https://web.example.com' };
    const events = await makeKey(app, 'events', { scopes: ['events'] });
    const headers = { 'postern-key': events.text };
    await send('POST', '/events/none/poll', { headers, body: {} });
    await send('POST', '/events/none/poll', { headers, body: { maxEvents: 'x' } });
    expect((await send('POST', '/verify', { body: { token: user.access } })).body.verified).toBe(
      true,
    );
    expect((await send('GET', '/verify', { token: user.access })).status).toBe(204);
    await send('POST', '/login', {
      body: { username: user.username, password: PASSWORD, cookie: true },
      headers: origin,
    });
    await send('POST', '/login', {
      body: { username: user.username, password: PASSWORD, cookie: true },
    });
    await send('POST', '/register', { body: { username: user.username, password: PASSWORD } });
    const refreshed = await send('POST', '/refresh', { body: { refresh_token: user.refresh } });
    expect(refreshed.status).toBe(200);
    await send('POST', '/refresh', { token: refreshed.body.refresh_token });
    app.clock.advance(11_000);
    await send('POST', '/refresh', { body: { refresh_token: user.refresh } });
    await send('POST', '/refresh', { body: { refresh_token: refreshed.body.refresh_token } });
    expect((await send('GET', '/verify', { token: user.access })).body.code).toBe(
      'session_revoked',
    );
    expect((await send('POST', '/verify', { body: { token: user.access } })).body.code).toBe(
      'session_revoked',
    );
    expect((await send('GET', '/me', { token: user.access })).body.code).toBe('session_revoked');
    const old = await app.register();
    app.clock.advance(8 * 86_400_000);
    expect(
      (await send('POST', '/refresh', { body: { refresh_token: old.refresh } })).body.code,
    ).toBe('refresh_token_expired');
    expect((await send('POST', '/logout', { body: { refresh_token: old.refresh } })).status).toBe(
      204,
    );
    expect((await send('POST', '/verify', { body: { token: old.access } })).body.code).toBe(
      'token_expired',
    );
    const gone = await app.register();
    await app.kernel.accountState.disable(operator, gone.userId);
    expect(
      (await send('POST', '/refresh', { body: { refresh_token: gone.refresh } })).body.code,
    ).toBe('account_disabled');
    expect(
      (await send('POST', '/login', { body: { username: gone.username, password: PASSWORD } }))
        .status,
    ).toBe(403);
    for (let i = 0; i < 12; i++)
      await send('POST', '/login', {
        body: { username: 'walked-over', password: 'wrong horse battery' },
      });
    const twice = await app.register();
    await Promise.all(
      Array.from({ length: 9 }, (_, i) =>
        send('POST', '/me/password', {
          token: twice.access,
          body: { current_password: PASSWORD, new_password: `horse number ${i} battery staple` },
        }),
      ),
    );
  });

  test('the answers that need a second factor', async () => {
    const send = async (method: string, path: string, options: CallOptions = {}) => {
      const reply = await app.call(method, path, options);
      expectDeclared(method, path, reply);
      return reply;
    };
    const user = await app.register();
    const { secret } = (await send('POST', '/me/totp', { token: user.access })).body;
    const code = () => codeAt(secret, app.clock.now());
    const confirmed = await send('POST', '/me/totp/confirm', {
      token: user.access,
      body: { code: code() },
    });
    expect(confirmed.body.recovery_codes).toHaveLength(10);
    expect(
      (await send('GET', '/me/factors', { token: user.access })).body.recovery_codes_left,
    ).toBe(10);
    app.clock.advance(60_000);
    const first = await send('POST', '/login', {
      body: { username: user.username, password: PASSWORD },
    });
    expect(
      (
        await send('POST', '/login/mfa', {
          body: { challenge_token: first.body.challenge_token, totp: '12345x' },
        })
      ).status,
    ).toBe(401);
    expect(
      (
        await send('POST', '/login/mfa', {
          body: { challenge_token: first.body.challenge_token, totp: code() },
        })
      ).status,
    ).toBe(200);
    expect(
      (await send('POST', '/reauthenticate', { token: user.access, body: { password: PASSWORD } }))
        .status,
    ).toBe(401);
    expect(
      (
        await send('POST', '/reauthenticate', {
          token: user.access,
          body: { recovery_code: confirmed.body.recovery_codes[0] },
        })
      ).status,
    ).toBe(200);
    expect((await send('POST', '/me/recovery-codes', { token: user.access })).status).toBe(200);
    expect((await send('DELETE', '/me/totp', { token: user.access })).status).toBe(204);
    expect((await send('DELETE', '/me/totp', { token: user.access })).status).toBe(404);
    for (let i = 0; i < 12; i++)
      await send('POST', '/me/totp/confirm', { token: user.access, body: { code: '12345' } });
  });

  test('the answers that need an authenticator', async () => {
    const send = async (method: string, path: string, options: CallOptions = {}) => {
      const reply = await app.call(method, path, options);
      expectDeclared(method, path, reply);
      return reply;
    };
    const user = await app.register();
    const token = user.access;
    const begun = (await send('POST', '/me/passkeys/options', { token })).body;
    const { made, credential } = create(begun.options, { counter: 1 });
    const added = await send('POST', '/me/passkeys', {
      token,
      body: { challenge_id: begun.challenge_id, credential },
    });
    expect(added.status).toBe(201);
    expect(
      (await send('PATCH', `/me/passkeys/${added.body.id}`, { token, body: { name: 'Renamed' } }))
        .body.name,
    ).toBe('Renamed');
    expect((await send('GET', '/me/factors', { token })).body.passkeys).toHaveLength(1);
    const options = (await send('POST', '/login/passkey/options')).body;
    const signedIn = await send('POST', '/login/passkey', {
      body: { challenge_id: options.challenge_id, credential: assert(made, options.options) },
    });
    expect(signedIn.body.status).toBe('authenticated');
    const foreign = (
      await send('POST', '/login/passkey/options', { body: { username: user.username } })
    ).body;
    expect(
      (
        await send('POST', '/login/passkey', {
          body: {
            challenge_id: foreign.challenge_id,
            credential: assert({ ...made, id: 'AAAA' }, foreign.options),
          },
        })
      ).body.unknown_credential.credentialId,
    ).toBe('AAAA');
    const first = await send('POST', '/login', {
      body: { username: user.username, password: PASSWORD },
    });
    const second = (
      await send('POST', '/login/mfa/passkey/options', {
        body: { challenge_token: first.body.challenge_token },
      })
    ).body;
    expect(
      (
        await send('POST', '/login/mfa', {
          body: {
            challenge_token: first.body.challenge_token,
            passkey: {
              challenge_id: second.challenge_id,
              credential: assert(made, second.options),
            },
          },
        })
      ).status,
    ).toBe(200);
    const again = (await send('POST', '/reauthenticate/passkey/options', { token })).body;
    expect(
      (
        await send('POST', '/reauthenticate', {
          token,
          body: {
            passkey: { challenge_id: again.challenge_id, credential: assert(made, again.options) },
          },
        })
      ).status,
    ).toBe(200);
    expect((await send('DELETE', `/me/passkeys/${added.body.id}`, { token })).status).toBe(204);
  });

  test('the answers that need an email', async () => {
    const send = async (method: string, path: string, options: CallOptions = {}) => {
      const reply = await app.call(method, path, options);
      expectDeclared(method, path, reply);
      return [reply.status, reply.body] as const;
    };
    const address = 'story@example.com';
    const [begun, { registration_id: id }] = await send('POST', '/register', {
      body: { email: address, password: PASSWORD },
    });
    const registered = (await app.emails(address))[0]?.values;
    const cookie = { cookie: true };
    expect(begun).toBe(202);
    expect(
      (
        await send('POST', '/register/verify', {
          body: { registration_id: id, code: registered?.['code'], ...cookie },
        })
      )[1].code,
    ).toBe('origin_not_allowed');
    expect((await send('POST', '/register/resend', { body: { registration_id: id } }))[0]).toBe(
      202,
    );
    const [made, { access_token: token }] = await send('POST', '/register/verify', {
      body: { registration_id: id, code: registered?.['code'] },
    });
    expect(made).toBe(201);
    expect(
      (await send('POST', '/register/verify', { body: { token: 'x', password: PASSWORD } }))[1]
        .code,
    ).toBe('token_spent_or_expired');
    expect(
      (await send('PATCH', '/me', { token, body: { email: 'story.moved@example.com' } }))[0],
    ).toBe(200);
    expect((await send('POST', '/email/verify/resend', { token }))[0]).toBe(202);
    const moved = (await app.emails('story.moved@example.com'))[0]?.values;
    expect(
      (await send('POST', '/email/verify', { token, body: { code: moved?.['code'] } }))[0],
    ).toBe(200);
    for (let i = 0; i < 12; i++)
      await send('POST', '/email/verify', { token, body: { code: moved?.['code'] } });
    expect(
      (
        await send('POST', '/password/forgot', { body: { username: 'story.moved@example.com' } })
      )[0],
    ).toBe(202);
    const reset = (await app.emails('story.moved@example.com')).find(
      ({ template }) => template === 'reset_password',
    )?.values['token'];
    expect((await send('POST', '/password/reset/check', { body: { token: reset } }))[0]).toBe(204);
    expect(
      (await send('POST', '/password/reset', { body: { token: reset, password: 'short' } }))[1]
        .code,
    ).toBe('invalid_request');
    expect(
      (
        await send('POST', '/password/reset', {
          body: { token: reset, password: 'another horse battery staple' },
        })
      )[0],
    ).toBe(204);
    const forced = await app.register();
    await app.kernel.accountState.expirePassword(operator, forced.userId);
    expect(
      (await send('POST', '/login', { body: { username: forced.username, password: PASSWORD } }))[1]
        .code,
    ).toBe('password_change_required');
  });

  test('what is not ready says why', async () => {
    const own = await createTestApp();
    await own.db.close();
    const reply = await own.call('GET', '/readyz');
    expectDeclared('GET', '/readyz', reply);
    expect(reply.body.reasons).toContain('database_not_writable');
    await own.stop().catch(() => undefined);
  });

  test('closed registration is a document and an answer of its own', async () => {
    const closed = await createTestApp({ config: '[registration]\nenabled = false\n' });
    const { body } = await closed.call('GET', '/openapi.json');
    const reply = await closed.call('POST', '/register', {
      body: { username: 'a', password: PASSWORD },
    });
    expect([reply.status, reply.body.code]).toEqual([403, 'registration_closed']);
    expect(Object.keys(body.paths['/register'].post.responses)).toContain('403');
    expect((await new Validator().validate(body)).valid).toBe(true);
    await closed.stop();
  });
});
