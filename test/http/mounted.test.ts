/**
 * The service inside another Hono application: over `@hono/node-server`, and in the process alone,
 * where no request of Node's is behind a web Request. It answers there as it does by itself.
 */
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { request, sendRaw } from '../support/raw.ts';

const ORIGIN = 'https://app.example.com';
const UNKNOWN = '0.0.0.0';

type Ask = (path: string, init?: RequestInit) => Promise<Response>;

let app: TestApp;
let told: TestApp;
let url: string;
const outer = new Hono<{ Bindings: HttpBindings }>();
const server = createAdaptorServer({ fetch: outer.fetch });

beforeAll(async () => {
  app = await createTestApp({ config: `[server]\ncors_origins = ["${ORIGIN}"]\n` });
  told = await createTestApp({
    server: { clientAddress: (request) => request.headers.get('x-client') ?? UNKNOWN },
  });
  outer.get('/', (c) => c.text('outer'));
  outer.use('/read/*', async (c, next) => {
    await c.req.arrayBuffer();
    await next();
  });
  outer.route('/auth', app.server.app);
  outer.route('/told', told.server.app);
  outer.route('/read/auth', app.server.app);
  outer.route('/of/:tenant/auth', app.server.app);
  outer.mount('/mounted', app.server.fetch);
  outer.notFound((c) => c.text('outer knows nothing of it', 404));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await app.stop();
  await told.stop();
});

const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
// biome-ignore lint/suspicious/noExplicitAny: asserted on member by member
const read = async (response: Response): Promise<Record<string, any>> =>
  JSON.parse(await response.text());
const problem = async (response: Response) => {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const body = await read(response);
  expect(body).toMatchObject({
    status: response.status,
    type: `urn:postern:problem:${body['code']}`,
    request_id: response.headers.get('x-request-id'),
  });
  return [response.status, body['code']];
};

const ways: readonly (readonly [name: string, ask: Ask])[] = [
  ['served', (path, init) => fetch(url + path, init)],
  ['in the process', async (path, init) => outer.request(path, init)],
];

describe.each(ways)('%s', (way, ask) => {
  test.each(['/auth', '/read/auth', '/of/acme/auth', '/mounted'])(
    'a whole story under %s',
    async (prefix) => {
      const username = `user-${way.length}-${prefix.replaceAll('/', '-')}`;
      const registered = await ask(`${prefix}/register`, json({ username, password: PASSWORD }));
      expect(registered.status).toBe(201);
      const signedIn = await ask(`${prefix}/login`, json({ username, password: PASSWORD }));
      expect(signedIn.status).toBe(200);
      const { access_token, refresh_token } = await read(signedIn);
      const me = await ask(`${prefix}/me`, bearer(access_token));
      expect([me.status, (await read(me))['username']]).toEqual([200, username]);
      expect(me.headers.get('cache-control')).toBe('no-store');
      expect(me.headers.get('x-content-type-options')).toBe('nosniff');
      const verified = await ask(`${prefix}/verify`, bearer(access_token));
      expect([verified.status, await verified.text()]).toEqual([204, '']);
      expect((await ask(`${prefix}/refresh`, json({ refresh_token }))).status).toBe(200);
      const keys = await ask(`${prefix}/.well-known/jwks.json`);
      const etag = keys.headers.get('etag') ?? '';
      const { payload } = await jwtVerify(
        access_token,
        createLocalJWKSet(JSON.parse(await keys.text())),
        { currentDate: new Date(app.clock.now()) },
      );
      expect(payload.iss).toBe('https://auth.example.com');
      const again = await ask(`${prefix}/.well-known/jwks.json`, {
        headers: { 'if-none-match': etag },
      });
      expect([again.status, await again.text()]).toEqual([304, '']);
      expect(app.log.at(-1)).toMatchObject({
        'http.route': '/.well-known/jwks.json',
        'client.address': null,
      });
    },
  );

  test('what is not there is 404 in our form, and what is outside is not ours', async () => {
    for (const path of ['/auth/nope', '/auth/', '/auth/me/', '/auth/auth/me', '/of/a/auth/nope'])
      expect([path, await problem(await ask(path))]).toEqual([path, [404, 'not_found']]);
    expect(await problem(await ask('/auth/me/sessions/%25', { method: 'DELETE' }))).toEqual([
      404,
      'not_found',
    ]);
    expect(await (await ask('/')).text()).toBe('outer');
    expect(await (await ask('/me')).text()).toBe('outer knows nothing of it');
  });

  test('a method that a path has not is 405 with its Allow', async () => {
    for (const prefix of ['/auth', '/of/acme/auth']) {
      const reply = await ask(`${prefix}/login`);
      expect(await problem(reply)).toEqual([405, 'method_not_allowed']);
      expect(reply.headers.get('allow')).toBe('POST, OPTIONS');
      const me = await ask(`${prefix}/me`, { method: 'PUT' });
      expect(me.headers.get('allow')).toBe('GET, HEAD, PATCH, DELETE, OPTIONS');
    }
    const head = await ask('/auth/login', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([405, '']);
  });

  test('HEAD is GET without its body', async () => {
    const get = await ask('/auth/.well-known/jwks.json');
    const head = await ask('/auth/.well-known/jwks.json', { method: 'HEAD' });
    expect([head.status, head.headers.get('etag'), await head.text()]).toEqual([
      200,
      get.headers.get('etag'),
      '',
    ]);
    expect(head.headers.get('content-length')).toBe(String((await get.text()).length));
  });

  test('a preflight is answered from the list of origins', async () => {
    const preflight = (origin: string) =>
      ask('/auth/login', {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      });
    const good = await preflight(ORIGIN);
    expect([good.status, good.headers.get('allow')]).toEqual([204, 'POST, OPTIONS']);
    expect(good.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(good.headers.get('access-control-allow-methods')).toBe('POST, OPTIONS');
    const bad = await preflight('https://evil.example');
    expect([bad.status, bad.headers.get('access-control-allow-origin')]).toEqual([204, null]);
    const answer = await ask('/auth/healthz', { headers: { origin: ORIGIN } });
    expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
  });

  test('a request id that is one is kept, another replaced', async () => {
    for (const [given, kept] of [
      ['trace-1', true],
      ['a, b', false],
      ['a b', false],
    ] as const) {
      const reply = await ask('/auth/healthz', { headers: { 'x-request-id': given } });
      expect(reply.headers.get('x-request-id') === given).toBe(kept);
      expect(reply.headers.get('x-request-id')).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
    }
  });

  const good = JSON.stringify({ username: 'nobody', password: PASSWORD });
  const post = (body: string | Uint8Array<ArrayBuffer>, type?: string): RequestInit => ({
    method: 'POST',
    headers: type === undefined ? {} : { 'content-type': type },
    body,
  });

  test.each<readonly [name: string, init: RequestInit, status: number, code: string]>([
    ['text/plain', post(good, 'text/plain'), 415, 'unsupported_media_type'],
    ['no type', post(Buffer.from(good)), 415, 'unsupported_media_type'],
    ['two types', post(good, 'application/json, text/plain'), 415, 'unsupported_media_type'],
    ['no JSON', post('{', 'application/json'), 400, 'malformed_request'],
    ['a member twice', post('{"a":1,"a":2}', 'application/json'), 400, 'malformed_request'],
    [
      'invalid UTF-8',
      post(Buffer.from('{"username":"\xff"}', 'latin1'), 'application/json'),
      400,
      'malformed_request',
    ],
    ['a byte order mark', post(`\ufeff${good}`, 'application/json'), 400, 'malformed_request'],
    ['65,537 bytes', post(good.padEnd(65_537, ' '), 'application/json'), 413, 'content_too_large'],
    ['nothing', { method: 'POST' }, 415, 'unsupported_media_type'],
    ['an unknown member', post('{"role":1}', 'application/json'), 422, 'invalid_request'],
    [
      'a content coding',
      { ...post(good, 'application/json'), headers: { 'content-encoding': 'gzip' } },
      415,
      'unsupported_media_type',
    ],
  ])('a body of %s is refused', async (_, init, status, code) => {
    expect(await problem(await ask('/auth/login', init))).toEqual([status, code]);
    expect(await problem(await ask('/read/auth/login', init))).toEqual([status, code]);
  });

  test('65,536 bytes are read, and a stream that never ends is not', async () => {
    const reply = await ask('/auth/login', post(good.padEnd(65_536, ' '), 'application/json'));
    expect(await problem(reply)).toEqual([401, 'invalid_credentials']);
    let sent = 0;
    const endless = new ReadableStream({
      pull: (controller) => {
        controller.enqueue(new Uint8Array(16_384).fill(0x20));
        sent += 16_384;
      },
    });
    const cut = await ask('/auth/login', {
      ...post('', 'application/json'),
      body: endless,
      duplex: 'half',
    } as RequestInit).catch(() => undefined);
    // Over a socket the connection may end before the client looks for an answer.
    if (way === 'in the process' || cut !== undefined)
      expect(cut === undefined ? [] : await problem(cut)).toEqual([413, 'content_too_large']);
    expect(sent).toBeLessThan(64 << 20);
  });

  test('a route without a body takes none, or {}', async () => {
    for (const init of [{}, { body: '{}', headers: { 'content-type': 'application/json' } }]) {
      const { access } = await app.register();
      const headers = { ...init.headers, authorization: `Bearer ${access}` };
      expect((await ask('/auth/logout/all', { ...init, method: 'POST', headers })).status).toBe(
        204,
      );
    }
  });

  test('no token, a bad one, and two are 401 with their challenge', async () => {
    const { access } = await app.register();
    const none = await ask('/auth/me');
    expect(none.headers.get('www-authenticate')).toBe('Bearer');
    expect(await problem(none)).toEqual([401, 'invalid_token']);
    const two = await ask('/auth/me', bearer(`${access}, Bearer ${access}`));
    expect(await problem(two)).toEqual([401, 'invalid_token']);
  });

  test('the client address comes from the outer application, in its canonical spelling', async () => {
    const of = async (client: string) => {
      await ask('/told/me', { headers: { 'x-client': client, 'x-forwarded-for': '192.0.2.9' } });
      return told.log.at(-1)?.['client.address'];
    };
    expect(await of('::FFFF:192.0.2.1')).toBe('192.0.2.1');
    expect(await of('2001:DB8:0::1')).toBe('2001:db8::1');
    expect(await of('no address')).toBeNull();
  });

  test('an unknown client is still limited', async () => {
    let reply: Response | undefined;
    for (let i = 0; i < 40 && reply?.status !== 429; i++)
      reply = await ask('/auth/login', json({ username: `limited-${way.length}`, password: 'x' }));
    expect(reply?.status).toBe(429);
    expect(reply?.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
  });
});

test('two Authorization lines over a socket are one too many', async () => {
  const { access } = await app.register();
  const line = `Authorization: Bearer ${access}`;
  const { replies } = await sendRaw(url, request('GET /auth/me', [line, line]), { replies: 1 });
  expect(replies[0]?.status).toBe(401);
});

test('a caller that hangs up aborts the work', async () => {
  const abort = new AbortController();
  const asked = outer.request('/auth/login', {
    ...json({ username: 'nobody', password: PASSWORD }),
    signal: abort.signal,
  });
  abort.abort();
  expect([499, 401, 400]).toContain((await asked).status);
});
