/**
 * POST /login, /reauthenticate, /me/password, /password/check: each success, and each refusal that
 * they declare.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';
import { LONG_PASSWORDS } from './long-passwords.ts';
import { fillBucket } from './rows.ts';

const ORIGIN = 'https://web.example.com';
const NEXT = 'another horse battery staple';
const MINUTE = 60_000;

let app: TestApp;
/** One place in the queue. */
let busy: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    config: `[cookies]\nenabled = true\nallowed_origins = ["${ORIGIN}"]\n`,
  });
  busy = await createTestApp({ config: '[password]\nqueue_length = 1\n' });
});
afterAll(async () => {
  await app.stop();
  await busy.stop();
});

const code = ({ status, body }: Reply): unknown[] => [status, body.code];
const cookiesOf = (reply: Reply): string[] => reply.headers.getSetCookie();

describe('POST /login', () => {
  test('answers an authentication with a device token, by name in any case', async () => {
    const { username, userId } = await app.register('Ada.Lovelace');
    for (const name of [username, 'ada.lovelace', 'ADA.LOVELACE']) {
      const { status, body, headers } = await app.login(name);
      expect([status, body.status, body.token_type, body.expires_in]).toEqual([
        200,
        'authenticated',
        'Bearer',
        900,
      ]);
      expect(headers.get('cache-control')).toBe('no-store');
      expect((await app.call('GET', '/me', { token: body.access_token })).body.id).toBe(userId);
    }
  });

  test('ASVS 7.2.4: each sign-in is a session of its own', async () => {
    const { username, sessionId } = await app.register();
    const ids = await Promise.all([app.login(username), app.login(username)]);
    expect(new Set([sessionId, ...ids.map(({ body }) => body.session_id)]).size).toBe(3);
  });

  test('S07: a session, a user or a token that the caller brings along is refused', async () => {
    const { username } = await app.register();
    for (const extra of [
      { session_id: 'x' },
      { sid: 'x' },
      { sub: 'x' },
      { jti: 'x' },
      { role: 'admin' },
      { amr: ['mfa'] },
      { epoch: 0 },
    ])
      expect(code(await app.login(username, PASSWORD, extra))).toEqual([422, 'invalid_request']);
  });

  test('422 and P06: every member is a text', async () => {
    for (const value of [['a'], { a: 1 }, { $ne: null }, 1, true, null]) {
      const { status, body } = await app.call('POST', '/login', {
        body: { username: 'a', password: value },
      });
      expect([value, status, body.errors]).toEqual([
        value,
        422,
        [expect.objectContaining({ pointer: '/password', code: 'wrong_type' })],
      ]);
      expect(
        (await app.call('POST', '/login', { body: { username: value, password: 'a' } })).status,
      ).toBe(422);
    }
    expect(
      (await app.call('POST', '/login', { body: {} })).body.errors.map(
        ({ pointer, code: fault }: { pointer: string; code: string }) => [pointer, fault],
      ),
    ).toEqual([
      ['/username', 'required'],
      ['/password', 'required'],
    ]);
  });

  test('401 invalid_credentials for a wrong password and for a name that nobody has', async () => {
    const { username } = await app.register();
    expect(code(await app.login(username, NEXT))).toEqual([401, 'invalid_credentials']);
    expect(code(await app.login('nobody-at-all'))).toEqual([401, 'invalid_credentials']);
    expect(code(await app.login(`${username}@example.com`))).toEqual([401, 'invalid_credentials']);
    expect(code(await app.login(''))).toEqual([401, 'invalid_credentials']);
  });

  test('H01: what would mean something to SQL is a name that nobody has', async () => {
    await app.register('sql-user');
    for (const name of [
      "' OR 1=1--",
      "sql-user'--",
      "' UNION SELECT * FROM user--",
      'sql-user" OR "1"="1',
      'sql%',
      'sql_user',
      "'; DROP TABLE user;--",
      '*',
      '\\',
      ':key',
      '?1',
    ])
      expect([name, ...code(await app.login(name))]).toEqual([name, 401, 'invalid_credentials']);
    expect((await app.login('sql-user')).status).toBe(200);
  });

  test('403 account_disabled after the right password, and only then', async () => {
    const { username, userId } = await app.register();
    await app.kernel.accountState.disable(operator, userId);
    expect(code(await app.login(username, NEXT))).toEqual([401, 'invalid_credentials']);
    expect(code(await app.login(username))).toEqual([403, 'account_disabled']);
  });

  test('403 origin_not_allowed: the cookie goes to a listed origin alone', async () => {
    const { username } = await app.register();
    for (const headers of [{}, { origin: 'https://evil.example' }, { origin: 'null' }]) {
      const refused = await app.call('POST', '/login', {
        body: { username, password: PASSWORD, cookie: true },
        headers,
      });
      expect([...code(refused), cookiesOf(refused)]).toEqual([403, 'origin_not_allowed', []]);
    }
    const taken = await app.call('POST', '/login', {
      body: { username, password: PASSWORD, cookie: true },
      headers: { origin: ORIGIN },
    });
    expect([taken.status, taken.body.refresh_token, taken.body.device_token]).toEqual([
      200,
      undefined,
      undefined,
    ]);
    const cookies = cookiesOf(taken);
    expect(cookies.map((line) => line.split('=')[0])).toEqual(['__Host-refresh', '__Host-device']);
    // ASVS 3.3.1 to 3.3.4
    for (const line of cookies)
      expect(line).toMatch(/; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
    for (const line of cookies) expect(line).not.toMatch(/Domain=/i);
  });

  test('422 where cookies are off', async () => {
    const off = await createTestApp();
    const { username } = await off.register();
    const { status, body } = await off.login(username, PASSWORD, { cookie: true });
    expect([status, body.errors[0].pointer, body.errors[0].code]).toEqual([
      422,
      '/cookie',
      'not_enabled',
    ]);
    await off.stop();
  });

  test('429 too_many_attempts with Retry-After', async () => {
    const { username } = await app.register();
    await fillBucket(() => app.login(username, NEXT));
    const refused = await app.login(username);
    expect([...code(refused), refused.headers.get('retry-after')]).toEqual([
      429,
      'too_many_attempts',
      '30',
    ]);
  });

  test('503 overloaded with Retry-After, when the queue is full', async () => {
    const { username } = await busy.register('busy-one');
    const refused = await busy.whileHashQueueIsFull(() => busy.login(username));
    expect(code(refused)).toEqual([503, 'overloaded']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect((await busy.login(username)).status).toBe(200);
  });

  test('an attempt that was answered 503 has shown nothing of the password, and does not count as a failure', async () => {
    const { username } = await busy.register('busy-counted');
    // Three times as many as may fail.
    await busy.whileHashQueueIsFull(async () => {
      for (let i = 0; i < 3 * busy.config.throttle.attempts; i++)
        expect((await busy.login(username, NEXT)).status).toBe(503);
    });
    expect((await busy.login(username)).status).toBe(200);
  });
});

describe('POST /reauthenticate', () => {
  test('answers the same session with a new auth_time and a new refresh token; the old one is spent', async () => {
    const { access, sessionId, refresh } = await app.register();
    app.clock.advance(6 * MINUTE);
    const { status, body } = await app.call('POST', '/reauthenticate', {
      token: access,
      body: { password: PASSWORD },
    });
    expect([status, body.session_id, body.device_token]).toEqual([200, sessionId, undefined]);
    expect(body.refresh_token).not.toBe(refresh);
    const claims = JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString());
    expect(claims.auth_time * 1000).toBeGreaterThan(app.clock.now() - MINUTE);
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: body.refresh_token } })).status,
    ).toBe(200);
  });

  test('401 for a wrong password, and the session goes on', async () => {
    const { access } = await app.register();
    expect(
      code(await app.call('POST', '/reauthenticate', { token: access, body: { password: NEXT } })),
    ).toEqual([401, 'invalid_credentials']);
    expect((await app.call('GET', '/me', { token: access })).status).toBe(200);
  });

  test('401 invalid_token and session_revoked', async () => {
    const { access } = await app.register();
    expect(
      code(await app.call('POST', '/reauthenticate', { body: { password: PASSWORD } })),
    ).toEqual([401, 'invalid_token']);
    await app.call('POST', '/logout/all', { token: access });
    expect(
      code(
        await app.call('POST', '/reauthenticate', { token: access, body: { password: PASSWORD } }),
      ),
    ).toEqual([401, 'session_revoked']);
  });

  test('403 origin_not_allowed, 422', async () => {
    const { access } = await app.register();
    expect(
      code(
        await app.call('POST', '/reauthenticate', {
          token: access,
          body: { password: PASSWORD, cookie: true },
        }),
      ),
    ).toEqual([403, 'origin_not_allowed']);
    expect(code(await app.call('POST', '/reauthenticate', { token: access, body: {} }))).toEqual([
      422,
      'invalid_request',
    ]);
    const given = await app.call('POST', '/reauthenticate', {
      token: access,
      body: { password: PASSWORD, cookie: true },
      headers: { origin: ORIGIN },
    });
    expect([given.status, given.body.refresh_token, cookiesOf(given).length]).toEqual([
      200,
      undefined,
      1,
    ]);
  });

  test('429 by a counter of the session’s own: other clients don’t affect it, and it affects no other', async () => {
    const { access, username } = await app.register();
    await fillBucket(() => app.login(username, NEXT));
    expect((await app.login(username)).status).toBe(429);
    expect(
      (await app.call('POST', '/reauthenticate', { token: access, body: { password: PASSWORD } }))
        .status,
    ).toBe(200);
    const other = await app.register();
    await fillBucket(() =>
      app.call('POST', '/reauthenticate', { token: other.access, body: { password: NEXT } }),
    );
    const refused = await app.call('POST', '/reauthenticate', {
      token: other.access,
      body: { password: PASSWORD },
    });
    expect([...code(refused), refused.headers.get('retry-after')]).toEqual([
      429,
      'too_many_attempts',
      '30',
    ]);
    expect((await app.login(other.username)).status).toBe(200);
  });

  test('503 overloaded', async () => {
    const { access } = await busy.register('busy-two');
    const send = () =>
      busy.call('POST', '/reauthenticate', { token: access, body: { password: PASSWORD } });
    expect(code(await busy.whileHashQueueIsFull(send))).toEqual([503, 'overloaded']);
    expect((await send()).status).toBe(200);
  });
});

describe('POST /me/password (ASVS 6.2.2, 6.2.3)', () => {
  const change = (token: string, current_password: unknown, new_password: unknown, target = app) =>
    target.call('POST', '/me/password', { token, body: { current_password, new_password } });

  test('204: the new one signs in, the old one does not, other sessions end, this one stays (G9)', async () => {
    const { access, username, deviceToken } = await app.register();
    const other = await app.login(username);
    expect((await change(access, PASSWORD, NEXT)).status).toBe(204);
    expect(code(await app.login(username))).toEqual([401, 'invalid_credentials']);
    expect((await app.call('GET', '/me', { token: other.body.access_token })).body.code).toBe(
      'session_revoked',
    );
    expect((await app.call('GET', '/verify', { token: other.body.access_token })).status).toBe(401);
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: other.body.refresh_token } }))
        .body.code,
    ).toBe('session_revoked');
    expect((await app.call('GET', '/me', { token: access })).status).toBe(200);
    // The device token of whoever knew the old password is worth nothing now.
    const again = await app.login(username, NEXT, { device_token: deviceToken });
    expect([again.status, again.body.device_token === deviceToken]).toEqual([200, false]);
  });

  test('401 invalid_credentials, 422 without the current one, or for one that the policy refuses', async () => {
    const { access, username } = await app.register();
    expect(code(await change(access, NEXT, 'a third horse battery staple'))).toEqual([
      401,
      'invalid_credentials',
    ]);
    const without = await change(access, undefined, NEXT);
    expect([...code(without), without.body.errors[0].pointer]).toEqual([
      422,
      'invalid_request',
      '/current_password',
    ]);
    for (const [password, fault] of [
      ['short', 'too_short'],
      [`${username}-${username}-${username}`, 'context_word'],
      ['a'.repeat(129), 'too_long'],
      ['x\u0007'.repeat(10), 'forbidden_characters'],
    ] as const) {
      const refused = await change(access, PASSWORD, password);
      expect([
        password,
        refused.status,
        refused.body.errors.map(({ pointer, code: is }: { pointer: string; code: string }) => [
          pointer,
          is,
        ]),
      ]).toEqual([password, 422, expect.arrayContaining([['/new_password', fault]])]);
    }
    for (const value of [1, null, ['a'], {}])
      expect((await change(access, PASSWORD, value)).status).toBe(422);
    expect((await app.login(username)).status).toBe(200);
  });

  test('401 without a token', async () => {
    expect(
      code(
        await app.call('POST', '/me/password', {
          body: { current_password: PASSWORD, new_password: NEXT },
        }),
      ),
    ).toEqual([401, 'invalid_token']);
  });

  test('409 conflict: of nine changes at once one wins, every time, and its password is the one that signs in', async () => {
    const next = (i: number) => `horse number ${i} battery staple`;
    const losers = new Set<string>();
    for (let round = 0; round < 10; round++) {
      const { access, username } = await app.register();
      const replies = await Promise.all(
        Array.from({ length: 9 }, (_, i) => change(access, PASSWORD, next(i))),
      );
      const winners = replies.flatMap(({ status }, i) => (status === 204 ? [i] : []));
      expect(winners.length).toBe(1);
      for (const { status, body } of replies) if (status !== 204) losers.add(body.code);
      expect((await app.login(username, next(winners[0] ?? 0))).status).toBe(200);
      for (const loser of [0, 1, 2].filter((i) => i !== winners[0]))
        expect((await app.login(username, next(loser))).status).toBe(401);
    }
    // Who came after the change had the wrong password; who came while it was being made, a
    // conflict.
    for (const refused of losers) expect(['conflict', 'invalid_credentials']).toContain(refused);
    expect(losers).toContain('conflict');
  });

  test('429 too_many_attempts', async () => {
    const { access } = await app.register();
    await fillBucket(() => change(access, NEXT, 'a third horse battery staple'));
    expect(code(await change(access, PASSWORD, NEXT))).toEqual([429, 'too_many_attempts']);
  });

  test('503 overloaded, and nothing is changed', async () => {
    const { access, username } = await busy.register('busy-three');
    const refused = await busy.whileHashQueueIsFull(() => change(access, PASSWORD, NEXT, busy));
    expect(code(refused)).toEqual([503, 'overloaded']);
    expect((await busy.login(username)).status).toBe(200);
  });
});

describe('POST /password/check', () => {
  const check = (body: object) => app.call('POST', '/password/check', { body });

  test('says what the policy says, with a score', async () => {
    expect((await check({ password: PASSWORD })).body).toEqual({
      valid: true,
      score: expect.any(Number),
      errors: [],
    });
    const bad = await check({ password: 'short' });
    expect([bad.status, bad.body.valid, bad.body.errors[0]]).toEqual([
      200,
      false,
      expect.objectContaining({ pointer: '/password', code: 'too_short' }),
    ]);
    expect(
      (await check({ password: 'ada-lovelace-2024', username: 'ada-lovelace' })).body.errors[0]
        .code,
    ).toBe('context_word');
    expect(
      (await check({ password: 'ada-lovelace-2024', email: 'ada.lovelace@example.com' })).body
        .errors[0].code,
    ).toBe('context_word');
    expect((await check({ password: '' })).body).toMatchObject({ valid: false, score: 0 });
  });

  test('agrees with POST /register', async () => {
    for (const [i, password] of [
      'a'.repeat(14),
      'a'.repeat(15),
      'qwertyuiop12345',
      'correct horse battery',
      'é'.repeat(20),
      'x'.repeat(129),
      'tab\there and there and',
    ].entries()) {
      const { body } = await check({ password, username: `agree-${i}` });
      const { status } = await app.call('POST', '/register', {
        body: { username: `agree-${i}`, password },
      });
      expect([password, status]).toEqual([password, body.valid ? 201 : 422]);
    }
  });

  test('stores and logs nothing of it, and needs no token', async () => {
    const before = app.log.length;
    await check({
      password: 'canary-in-password-check',
      username: 'canary-name',
      email: 'canary@example.com',
    });
    expect(JSON.stringify(app.log.slice(before))).not.toContain('canary');
  });

  test.each(LONG_PASSWORDS)('P01: 60 kB are never good: %#', async (password) => {
    const { status, body } = await check({ password });
    expect([200, 422]).toContain(status);
    expect(body.valid ?? false).toBe(false);
  });

  test('422 for other types and members', async () => {
    for (const body of [
      {},
      { password: 1 },
      { password: null },
      { password: ['a'] },
      { password: 'a', pepper: 'x' },
      { password: 'a', username: 1 },
    ])
      expect((await check(body)).status).toBe(422);
  });
});
