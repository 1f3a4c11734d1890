/** CORS from an exact list (H07, ASVS 3.4.2). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { request, sendRaw } from '../support/raw.ts';

const ALLOWED = 'https://app.example.com';
const WITH_COOKIE = 'https://web.example.com';
const LOCAL = 'http://localhost:5173';

let app: TestApp;
let closed: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    config: `[server]\ncors_origins = ["${ALLOWED}", "${LOCAL}"]\n[cookies]\nenabled = true\nallowed_origins = ["${WITH_COOKIE}"]\n`,
  });
  closed = await createTestApp();
});
afterAll(async () => {
  await app.stop();
  await closed.stop();
});

const STRANGERS = [
  'null',
  '*',
  'https://app.example.com.evil.example',
  'https://evilapp.example.com',
  'https://app.example.com:8443',
  'https://app.example.com:443',
  'https://APP.example.com',
  'HTTPS://app.example.com',
  'http://app.example.com',
  'https://app.example.com/',
  'https://app.example.com.',
  'https://example.com',
  'https://x.app.example.com',
  'https://app.example.com, https://evil.example',
  'https://evil.example',
  'https://app.example.com@evil.example',
  'https://appXexample.com',
  'http://localhost:5174',
  'http://127.0.0.1:5173',
  'file://',
  'app.example.com',
  '',
];
const PLACES: readonly (readonly [method: string, path: string])[] = [
  ['GET', '/healthz'],
  ['GET', '/me'],
  ['POST', '/login'],
  ['GET', '/nope'],
  ['PUT', '/me'],
  ['GET', '/.well-known/jwks.json'],
];

/** Sent by hand: fetch refuses to send an Origin of its own. */
async function send(
  target: TestApp,
  line: `${string} ${string}`,
  origin: string | null,
  headers: readonly string[] = [],
) {
  const lines = [
    ...(origin === null ? [] : [`Origin: ${origin}`]),
    ...headers,
    'Connection: close',
  ];
  const [reply] = (await sendRaw(target.url, request(line, lines))).replies;
  return { status: reply?.status, headers: reply?.headers ?? {} };
}
const preflight = (target: TestApp, path: string, origin: string, method = 'PATCH') =>
  send(target, `OPTIONS ${path}`, origin, [
    `Access-Control-Request-Method: ${method}`,
    'Access-Control-Request-Headers: authorization, content-type',
  ]);
const corsHeaders = (headers: Readonly<Record<string, string>>) =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-'));

describe('origins that are listed', () => {
  test.each([ALLOWED, LOCAL, WITH_COOKIE])(
    '%s is named on every answer, refusals included, never as *',
    async (origin) => {
      for (const [method, path] of PLACES) {
        const { headers } = await send(app, `${method} ${path}`, origin);
        expect([path, headers['access-control-allow-origin'], headers['vary']]).toEqual([
          path,
          origin,
          'Origin',
        ]);
        expect(headers['access-control-expose-headers']).toMatch(
          /Retry-After.*WWW-Authenticate.*X-Request-Id/,
        );
        expect(headers['access-control-allow-credentials']).toBe(
          origin === WITH_COOKIE ? 'true' : undefined,
        );
      }
    },
  );

  test('a preflight gets the methods of its path and the headers that the service reads', async () => {
    const { status, headers } = await preflight(app, '/me', ALLOWED);
    expect(status).toBe(204);
    expect(headers['access-control-allow-origin']).toBe(ALLOWED);
    expect(headers['access-control-allow-methods']?.split(', ').sort()).toEqual([
      'DELETE',
      'GET',
      'HEAD',
      'OPTIONS',
      'PATCH',
    ]);
    expect(headers['access-control-allow-headers']?.toLowerCase()).toMatch(
      /authorization.*content-type/,
    );
    expect([headers['vary'], headers['access-control-max-age'], headers['cache-control']]).toEqual([
      'Origin',
      '600',
      'no-store',
    ]);
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    expect(
      (await preflight(app, '/me/sessions/x', ALLOWED)).headers['access-control-allow-methods'],
    ).toBe('DELETE, OPTIONS');
    expect(
      (await preflight(app, '/login', WITH_COOKIE, 'POST')).headers[
        'access-control-allow-credentials'
      ],
    ).toBe('true');
  });

  test('a preflight of a path that is none is 404', async () => {
    expect((await preflight(app, '/nope', ALLOWED)).status).toBe(404);
  });
});

describe('origins that are not', () => {
  test.each(STRANGERS)('%j gets no permission, before or after', async (origin) => {
    for (const [method, path] of PLACES) {
      const { headers } = await send(app, `${method} ${path}`, origin);
      expect([path, corsHeaders(headers), headers['vary']]).toEqual([path, [], 'Origin']);
    }
    const { status, headers } = await preflight(app, '/me', origin);
    expect([status, corsHeaders(headers), headers['vary']]).toEqual([204, [], 'Origin']);
  });

  test('two Origin lines are no listed origin', async () => {
    const { headers } = await send(app, 'GET /me', ALLOWED, ['Origin: https://evil.example']);
    expect(headers['access-control-allow-origin']).not.toBe('https://evil.example');
    expect(headers['access-control-allow-origin'] ?? ALLOWED).toBe(ALLOWED);
  });

  test('without an Origin there is no permission, and the answer still varies by it', async () => {
    const { headers } = await send(app, 'GET /.well-known/jwks.json', null);
    expect([corsHeaders(headers), headers['vary']]).toEqual([[], 'Origin']);
  });

  test('a 304 varies by Origin too', async () => {
    const { status, headers } = await send(app, 'GET /.well-known/jwks.json', ALLOWED, [
      'If-None-Match: *',
    ]);
    expect([status, headers['vary'], headers['access-control-allow-origin']]).toEqual([
      304,
      'Origin',
      ALLOWED,
    ]);
  });

  test('a service without a list permits nobody', async () => {
    for (const origin of [ALLOWED, 'null', '*']) {
      expect(corsHeaders((await send(closed, 'GET /me', origin)).headers)).toEqual([]);
      expect(corsHeaders((await preflight(closed, '/me', origin)).headers)).toEqual([]);
    }
  });
});

describe('the refresh cookie (CSRF)', () => {
  test('is taken from a listed Origin alone, whatever else the request says', async () => {
    const { body, headers } = await app.call('POST', '/register', {
      body: { username: 'cookie-user', password: 'correct horse battery staple', cookie: true },
      headers: { origin: WITH_COOKIE },
    });
    const cookie =
      headers
        .getSetCookie()
        .find((line) => line.startsWith('__Host-refresh='))
        ?.split(';')[0] ?? '';
    expect([body.refresh_token, cookie.length > 100]).toEqual([undefined, true]);
    const send = async (path: string, origin: string | null) => {
      const lines = [
        ...(origin === null ? [] : [`Origin: ${origin}`]),
        `Cookie: ${cookie}`,
        'Content-Type: application/json',
        'Content-Length: 2',
        'Connection: close',
      ];
      const [reply] = (await sendRaw(app.url, request(`POST ${path}`, lines) + '{}')).replies;
      return [reply?.status, reply?.body === '' ? undefined : JSON.parse(reply?.body ?? '{}').code];
    };
    for (const path of ['/refresh', '/logout']) {
      for (const origin of [
        null,
        ALLOWED,
        ...STRANGERS,
        `${WITH_COOKIE}.evil.example`,
        `${WITH_COOKIE}:443`,
      ])
        expect([path, origin, ...(await send(path, origin))]).toEqual([
          path,
          origin,
          403,
          'origin_not_allowed',
        ]);
    }
    const kept = await app.call('GET', '/me', { token: body.access_token });
    expect(kept.status).toBe(200);
    expect((await send('/logout', WITH_COOKIE))[0]).toBe(204);
    expect(await send('/refresh', WITH_COOKIE)).toEqual([401, 'session_revoked']);
  });

  test('is given to a listed Origin alone: nothing is made for another one', async () => {
    for (const path of ['/register', '/login', '/refresh']) {
      const made =
        path === '/refresh'
          ? { refresh_token: (await app.register()).refresh }
          : { username: 'cookie-none', password: 'correct horse battery staple' };
      const refused = await app.call('POST', path, {
        body: { ...made, cookie: true },
        headers: { origin: 'https://evil.example' },
      });
      expect([path, refused.status, refused.body.code, refused.headers.getSetCookie()]).toEqual([
        path,
        403,
        'origin_not_allowed',
        [],
      ]);
    }
    expect((await app.login('cookie-none')).status).toBe(401);
  });
});

describe('an origin that is not listed', () => {
  test('is one line of the log, which says what to add, however often it comes', async () => {
    const own = await createTestApp();
    const lines = () => own.log.filter(({ event }) => event === 'cors.refused');
    for (let i = 0; i < 3; i++) {
      await send(own, 'POST /login', LOCAL);
      await preflight(own, '/me', LOCAL);
    }
    expect(lines()).toMatchObject([{ level: 'warn', origin: LOCAL }]);
    expect(lines()[0]?.message).toContain(`cors_origins = ["${LOCAL}"]`);
    // Its own pages, and what no browser writes, are nobody to list.
    for (const origin of ['https://auth.example.com', new URL(own.url).origin, ...STRANGERS])
      await send(own, 'GET /healthz', origin);
    expect(lines().map(({ origin }) => origin)).not.toContain('https://auth.example.com');
    expect(lines().map(({ origin }) => origin)).not.toContain('null');
    // H17: whoever invents origins fills no log.
    for (let i = 0; i < 60; i++) await send(own, 'GET /healthz', `https://x${i}.example`);
    expect(lines()).toHaveLength(32);
    await own.stop();
  });

  test('listed ones are none, and trace headers pass preflight', async () => {
    for (const origin of [ALLOWED, WITH_COOKIE]) await send(app, 'GET /healthz', origin);
    expect(
      app.log.filter(({ event, origin }) => event === 'cors.refused' && origin === ALLOWED),
    ).toEqual([]);
    const { headers } = await preflight(app, '/me', ALLOWED);
    for (const name of ['Traceparent', 'Tracestate', 'Baggage', 'Sentry-Trace'])
      expect(headers['access-control-allow-headers']).toContain(name);
  });
});
