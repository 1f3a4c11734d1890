/** @postern/client in Node, against a real service: what it sends, keeps, waits for and ends. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { PosternError, createClient, memoryStorage } from '../../packages/client/src/index.ts';
import type { Authentication, Client, ClientOptions } from '../../packages/client/src/index.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { enrol } from '../support/mfa.ts';

let app: TestApp;
const ORIGIN = 'http://127.0.0.1:5173';
beforeAll(async () => {
  app = await createTestApp({
    config: `[cookies]\nenabled = true\nallowed_origins = ["${ORIGIN}"]\n`,
  });
});
afterAll(() => app.stop());

let asked: string[] = [];
let waits: number[] = [];
beforeEach(() => {
  asked = [];
  waits = [];
});
/** Answers before the service is asked, one a request; null asks it. */
type Weather = (() => Response | Promise<Response>) | 'lost' | null;
const clients: Client[] = [];
afterAll(() => clients.forEach((client) => client.close()));

function client(weather: Weather[] = [], options: Partial<ClientOptions> = {}): Client {
  const made = createClient({
    url: app.url,
    now: app.clock.now,
    patience: { wait: async (milliseconds) => void waits.push(milliseconds) },
    fetch: async (input, init) => {
      asked.push(`${init?.method ?? 'GET'} ${new URL(String(input)).pathname}`);
      const next = weather.shift() ?? null;
      if (typeof next === 'function') return next();
      const response = await fetch(input, init);
      if (next !== 'lost') return response;
      await response.text();
      throw new TypeError('the network is gone');
    },
    ...options,
  });
  clients.push(made);
  return made;
}
const status =
  (code: number, headers: Record<string, string> = {}) =>
  () =>
    new Response('{"code":"overloaded"}', { status: code, headers });
let names = 0;
const signUp = async (one: Client): Promise<string> => {
  const username = `client-${++names}`;
  await one.register({ username, password: PASSWORD });
  return username;
};

describe('signing in', () => {
  test('registers, knows who it is, signs out; then there is no token', async () => {
    const one = client();
    const username = await signUp(one);
    expect((await one.me()).username).toBe(username);
    await one.signOut();
    expect(await one.accessToken()).toBeNull();
    await expect(one.me()).rejects.toMatchObject({ code: 'invalid_token', status: 401 });
    expect(asked).toContain('POST /logout');
  });

  test('a second factor: the types narrow by status, and its answer signs in', async () => {
    const user = await enrol(app);
    const one = client();
    const first: Authentication = await one.signIn({ username: user.username, password: PASSWORD });
    if (first.status !== 'mfa_required') throw new Error('no second factor was asked for');
    expect(first.factors).toEqual(['totp', 'recovery_code']);
    expect(await one.accessToken()).toBeNull();
    await expect(one.presentFactor(first, { recovery_code: 'x' })).rejects.toBeInstanceOf(
      PosternError,
    );
    const second = await one.presentFactor(first, { totp: user.code() });
    expect(second.status).toBe('authenticated');
    expect((await one.me()).mfa_enabled).toBe(true);
  });

  test('by email address: the code of the email signs in', async () => {
    const one = client();
    const email = 'client-mail@example.com';
    const begun = await one.register({ email, password: PASSWORD });
    if (!('registration_id' in begun)) throw new Error('it is no pending registration');
    const code = (await app.emails(email))[0]?.values['code'] ?? '';
    await one.verifyRegistration({ registration_id: begun.registration_id, code });
    expect((await one.me()).email).toBe(email);
  });

  test('a later sign-in brings the device token along, after signing out too', async () => {
    const storage = memoryStorage();
    const sent: unknown[] = [];
    const one = client([], {
      storage,
      fetch: (input, init) => {
        if (String(input).endsWith('/login'))
          sent.push(JSON.parse(String(init?.body)).device_token);
        return fetch(input, init);
      },
    });
    const username = await signUp(one);
    const device = `postern:${app.url}:device`;
    const first = await storage.getItem(device);
    expect(first).toEqual(expect.any(String));
    await one.signOut();
    await one.signIn({ username, password: PASSWORD });
    expect(sent).toEqual([first]);
    // A change that voids it brings another one.
    const next = 'another horse battery staple';
    await one.call('POST /me/password', {
      body: { current_password: PASSWORD, new_password: next },
    });
    expect(await storage.getItem(device)).not.toBe(first);
    await one.signIn({ username, password: next });
    expect(sent).toEqual([first, expect.any(String)]);
    expect(sent[1]).not.toBe(first);
  });

  test('errors carry the code, the faults and Retry-After', async () => {
    const error = await client()
      .register({ username: 'short', password: 'x' })
      .catch((caught: unknown) => caught);
    if (!(error instanceof PosternError)) throw error;
    expect([error.status, error.code, error.problem.errors?.[0]?.code]).toEqual([
      422,
      'invalid_request',
      'too_short',
    ]);
  });
});

describe('the session', () => {
  test('tokens of ten seconds are used for half of them, and not refreshed for each call', async () => {
    const brief = await createTestApp({ config: '[tokens]\naccess_ttl = "10s"\n' });
    const one = client([], { url: brief.url, now: brief.clock.now });
    await signUp(one);
    asked = [];
    for (const seconds of [4, 0, 2, 0]) {
      brief.clock.advance(seconds * 1000);
      await one.me();
    }
    expect(asked).toEqual(['GET /me', 'GET /me', 'POST /refresh', 'GET /me', 'GET /me']);
    await brief.stop();
  });

  test('twenty calls with a token that has expired: one refresh', async () => {
    const one = client();
    await signUp(one);
    app.clock.advance(16 * 60_000);
    asked = [];
    await Promise.all(Array.from({ length: 20 }, () => one.me()));
    expect(asked.filter((line) => line === 'POST /refresh')).toHaveLength(1);
  });

  test('twenty 401s of an API of one’s own: one refresh, each tried once more', async () => {
    let refused = 0;
    let stale = '';
    const api = createClient({
      url: app.url,
      now: app.clock.now,
      fetch: async (input, init) => {
        const path = new URL(String(input)).pathname;
        if (path !== '/things') {
          asked.push(path);
          return fetch(input, init);
        }
        const token = new Headers(init?.headers).get('authorization');
        if (token !== stale) return new Response('ok');
        refused++;
        return new Response(null, { status: 401 });
      },
    });
    clients.push(api);
    await api.register({ username: `client-${++names}`, password: PASSWORD });
    stale = `Bearer ${await api.accessToken()}`;
    asked = [];
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => api.fetch('https://api.example.com/things')),
    );
    expect(replies.every(({ ok }) => ok)).toBe(true);
    expect([refused, asked]).toEqual([20, ['/refresh']]);
  });

  test('a lost answer of a refresh is asked for again, and the session lives', async () => {
    const weather: Weather[] = [];
    const one = client(weather);
    await signUp(one);
    app.clock.advance(16 * 60_000);
    weather.push('lost');
    expect((await one.me()).username).toMatch(/^client-/);
    expect(waits).toEqual([250]);
  });

  test.each([
    ['a proxy’s 502', status(502)],
    ['a 403', status(403)],
    ['a 404', status(404)],
  ])('%s ends no session', async (_, answer) => {
    const weather: Weather[] = [];
    const one = client(weather);
    await signUp(one);
    app.clock.advance(16 * 60_000);
    weather.push(answer);
    await expect(one.accessToken()).rejects.toBeInstanceOf(PosternError);
    expect(await one.accessToken()).toEqual(expect.any(String));
  });

  test('a session that was ended elsewhere is reported once', async () => {
    const one = client();
    const username = await signUp(one);
    const seen: unknown[] = [];
    one.onChange((session) => seen.push(session));
    const other = await app.login(username);
    await app.call('POST', '/logout/all', { token: other.body.access_token });
    await expect(one.me()).rejects.toMatchObject({ status: 401 });
    expect(seen).toEqual([null]);
    expect(await one.accessToken()).toBeNull();
  });

  test('a step-up is no matter of the token: it is not refreshed for', async () => {
    const one = client();
    await signUp(one);
    app.clock.advance(6 * 60_000);
    asked = [];
    await expect(one.call('DELETE /me')).rejects.toMatchObject({
      code: 'insufficient_user_authentication',
    });
    expect(asked).toEqual(['DELETE /me']);
    // Presented again, the same session may do it; and then nobody is signed in.
    const { session_id } = await one.reauthenticate({ password: PASSWORD });
    expect(session_id).toEqual(expect.any(String));
    await one.call('DELETE /me');
    expect(await one.accessToken()).toBeNull();
  });
});

describe('Retry-After', () => {
  test('a short one is waited for, with what changes something too: nothing was done', async () => {
    const weather: Weather[] = [
      status(503, { 'retry-after': '2' }),
      status(429, { 'retry-after': '1' }),
    ];
    await signUp(client(weather));
    expect(waits).toEqual([2_000, 1_000]);
  });

  test('a long one is an error at once', async () => {
    const weather: Weather[] = [status(429, { 'retry-after': '900' })];
    await expect(signUp(client(weather))).rejects.toMatchObject({ retryAfter: 900 });
    expect(waits).toEqual([]);
  });

  test('a lost answer to what changes something is not asked for again', async () => {
    await expect(signUp(client(['lost']))).rejects.toBeInstanceOf(TypeError);
    expect(asked).toEqual(['POST /register']);
  });
});

test('cookie mode: no refresh token is kept, and a page that is not signed in asks once', async () => {
  let jar = '';
  const storage = memoryStorage();
  const one = client([], {
    cookie: true,
    storage,
    fetch: async (input, init) => {
      asked.push(new URL(String(input)).pathname);
      const headers = new Headers(init?.headers);
      headers.set('origin', ORIGIN);
      headers.set('cookie', jar);
      const response = await fetch(input, { ...init, headers });
      const set = response.headers.getSetCookie().find((line) => line.startsWith('__Host-refresh'));
      if (set !== undefined) jar = set.split(';')[0] ?? '';
      return response;
    },
  });
  expect([await one.accessToken(), await one.accessToken()]).toEqual([null, null]);
  expect(asked).toEqual(['/refresh']);
  const username = await signUp(one);
  expect(await storage.getItem(`postern:${app.url}`)).not.toContain('refreshToken');
  // Another page load: only the cookie is left.
  await storage.removeItem(`postern:${app.url}`);
  expect((await one.me()).username).toBe(username);
  await one.signOut();
  expect(jar).toBe('__Host-refresh=');
});

describe('without a password', () => {
  const otpApp = (): Promise<TestApp> =>
    createTestApp({
      config:
        '[otp]\nauto_register = true\nlink = true\n[otp.email]\nenabled = true\n[registration]\nanonymous = true\n',
    });

  test('a code by email, its link on this device, a guest; passkeys are not offered here', async () => {
    const own = await otpApp();
    const one = client([], { url: own.url, now: own.clock.now });
    const email = 'reader@example.com';
    const { otp_id } = await one.requestCode(email);
    const code = (await own.emails(email))[0]?.values['code'] ?? '';
    expect((await one.signInWithCode({ otp_id, code })).status).toBe('authenticated');
    expect((await one.me()).email).toBe(email);
    await one.signOut();
    own.clock.advance(120_000);
    const second = await one.requestCode(email);
    const link = new URL((await own.emails(email))[0]?.values['link'] ?? '');
    const token = new URLSearchParams(link.hash.slice(1)).get('token') ?? '';
    await expect(one.signInWithLink({ token })).rejects.toMatchObject({ code: 'other_device' });
    const done = await one.signInWithLink({ token, otp_id: second.otp_id });
    expect(done.status).toBe('authenticated');
    own.clock.advance(120_000);
    const third = await one.requestCode(email);
    const again = (await own.emails(email))[0]?.values['code'] ?? '';
    const email_code = { otp_id: third.otp_id, code: again };
    expect((await one.reauthenticate({ email_code })).status).toBe('authenticated');
    const guest = client([], { url: own.url, now: own.clock.now });
    await guest.register({ anonymous: true });
    expect((await guest.me()).anonymous).toBe(true);
    expect(await guest.offerPasskeys()).toBeNull();
    await own.stop();
  });

  test('an outside provider, and a recovery code: what was refused is an error with its code', async () => {
    const one = client();
    await expect(one.externalNonce('nobody')).rejects.toMatchObject({ code: 'not_found' });
    await expect(
      one.signInExternally('nobody', { id_token: 'x.y.z', nonce: 'x' }),
    ).rejects.toMatchObject({ code: 'not_found' });
    const page = 'https://shop.example.com/callback';
    await expect(one.startExternal('nobody', page)).rejects.toMatchObject({ code: 'not_found' });
    await expect(one.startExternal('nobody')).rejects.toMatchObject({ code: 'not_found' });
    await expect(
      one.signInWithRecoveryCode({ username: 'nobody', recovery_code: 'x' }),
    ).rejects.toMatchObject({ code: 'invalid_credentials' });
    await expect(one.registerWithPasskey({ username: 'nobody' })).rejects.toThrow(/need a browser/);
  });
});

test('at most 5 kB gzipped, and no dependency', async () => {
  const { outputFiles } = await build({
    entryPoints: ['packages/client/src/index.ts'],
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    logLevel: 'error',
  });
  expect(gzipSync(outputFiles[0]?.contents ?? '').length).toBeLessThan(5_000);
});

test('README’s examples run as they stand there, one after the other', async () => {
  const readme = readFileSync('packages/client/README.md', 'utf8');
  const blocks = [...readme.matchAll(/^```ts\n([\s\S]*?)```/gm)].map(([, text = '']) => text);
  expect(blocks.length).toBe(readme.match(/^```\w/gm)?.length);
  const block = blocks.join('\n');
  const { outputFiles } = await build({
    stdin: {
      contents: block
        .replace("'@postern/client'", "'./packages/client/src/index.ts'")
        .replaceAll('http://127.0.0.1:7400', app.url)
        .concat('\nauth.close();\nexport { me, reply, sessions, otpauth_uri };\n'),
      resolveDir: process.cwd(),
      loader: 'ts',
    },
    bundle: true,
    format: 'esm',
    write: false,
    logLevel: 'error',
    // The clock of the service stands still, and not where that of this machine is.
    banner: { js: `Date.now = () => ${app.clock.now()};` },
  });
  const now = Date.now;
  vi.spyOn(console, 'log').mockReturnValue(undefined);
  try {
    const code = Buffer.from(outputFiles[0]?.contents ?? '').toString('base64');
    const { me, reply, sessions, otpauth_uri } = await import(
      /* @vite-ignore */ `data:text/javascript;base64,${code}`
    );
    expect([me.username, reply.status]).toEqual(['ada', 204]);
    expect([sessions.length, otpauth_uri]).toEqual([1, expect.stringMatching(/^otpauth:/)]);
  } finally {
    Date.now = now;
    vi.restoreAllMocks();
  }
});
