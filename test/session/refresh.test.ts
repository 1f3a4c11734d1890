import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isOtherSite } from '../../src/http/cookies.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

const SECOND = 1_000;
const DAY = 86_400_000;
const refresh = (token: string, target = app) =>
  target.call('POST', '/refresh', { body: { refresh_token: token } });

const rowOf = (id: string): Promise<unknown[]> =>
  app.db.read({
    sql: 'SELECT * FROM session WHERE id = ?',
    params: [id],
    map: (rows) => rows,
    returns: true,
  });

describe('POST /refresh', () => {
  test('rotates: a new refresh token and a new access token of the same session', async () => {
    const user = await app.register();
    const { status, body } = await refresh(user.refresh);
    expect([status, body.status, body.session_id]).toEqual([200, 'authenticated', user.sessionId]);
    expect(body.refresh_token).not.toBe(user.refresh);
    expect(body.device_token).toBeUndefined();
    expect((await app.call('GET', '/me', { token: body.access_token })).status).toBe(200);
  });

  test('takes the token as Authorization: Bearer too', async () => {
    const user = await app.register();
    expect((await app.call('POST', '/refresh', { token: user.refresh })).status).toBe(200);
  });

  test('D2: within the grace the parent gets the same successor again, and the log says so', async () => {
    const user = await app.register();
    const one = await refresh(user.refresh);
    app.clock.advance(9 * SECOND);
    const two = await refresh(user.refresh);
    expect([two.status, two.body.refresh_token]).toEqual([200, one.body.refresh_token]);
    const graces = app.log.filter(({ event }) => event === 'refresh_token.grace');
    expect(graces).toEqual([
      expect.objectContaining({ level: 'info', 'session.id': user.sessionId }),
    ]);
  });

  test('D2: within the grace of its own rotation a token stays as it is: a new access token, no write', async () => {
    const user = await app.register();
    const one = await refresh(user.refresh);
    expect(one.body.rotated).toBeUndefined();
    app.clock.advance(9 * SECOND);
    const before = await rowOf(user.sessionId);
    const again = await refresh(one.body.refresh_token);
    expect([again.status, again.body.rotated, again.body.refresh_token]).toEqual([
      200,
      false,
      one.body.refresh_token,
    ]);
    expect(again.body.access_token).not.toBe(one.body.access_token);
    expect(await rowOf(user.sessionId)).toEqual(before);
    // And the parent is still one of two tabs, not a thief.
    expect((await refresh(user.refresh)).body.refresh_token).toBe(one.body.refresh_token);
    app.clock.advance(2 * SECOND);
    const next = await refresh(one.body.refresh_token);
    expect([next.status, next.body.rotated]).toEqual([200, undefined]);
    expect(next.body.refresh_token).not.toBe(one.body.refresh_token);
  });

  test('S01: after the grace a used token ends the whole session, its newest token included, and the log says so', async () => {
    const user = await app.register();
    const { body } = await refresh(user.refresh);
    app.clock.advance(11 * SECOND);
    const reused = await refresh(user.refresh);
    expect([reused.status, reused.body.code]).toEqual([401, 'refresh_token_reused']);
    expect((await refresh(body.refresh_token)).body.code).toBe('session_revoked');
    expect((await app.call('GET', '/me', { token: body.access_token })).body.code).toBe(
      'session_revoked',
    );
    expect((await app.call('GET', '/verify', { token: body.access_token })).status).toBe(401);
    expect(
      app.log.some(
        ({ event, 'session.id': id }) => event === 'refresh_token.reused' && id === user.sessionId,
      ),
    ).toBe(true);
  });

  test('S01: a grandparent ends the session, however young its successors are', async () => {
    const user = await app.register();
    const one = await refresh(user.refresh);
    app.clock.advance(11 * SECOND);
    const two = await refresh(one.body.refresh_token);
    expect((await refresh(user.refresh)).body.code).toBe('refresh_token_reused');
    expect((await refresh(two.body.refresh_token)).body.code).toBe('session_revoked');
  });

  test.each([
    ['another user agent', { 'user-agent': 'a thief' }],
    ['another network', { 'x-forwarded-for': '198.51.100.7' }],
  ])('D2: the grace is for the client that rotated: from %s it is reuse', async (_, headers) => {
    const own = await createTestApp({ config: '[server]\ntrusted_proxies = ["127.0.0.1"]\n' });
    const user = await own.register();
    const one = await refresh(user.refresh, own);
    const body = { refresh_token: user.refresh };
    const stolen = await own.call('POST', '/refresh', { body, headers });
    expect([stolen.status, stolen.body.code]).toEqual([401, 'refresh_token_reused']);
    expect((await refresh(one.body.refresh_token, own)).body.code).toBe('session_revoked');
    await own.stop();
  });

  test('D2: no grace lies across a renewed authentication', async () => {
    const user = await app.register();
    const renewed = await app.call('POST', '/reauthenticate', {
      token: user.access,
      body: { password: PASSWORD },
    });
    expect(renewed.status).toBe(200);
    expect((await refresh(user.refresh)).body.code).toBe('refresh_token_reused');
    expect((await refresh(renewed.body.refresh_token)).body.code).toBe('session_revoked');
  });

  test('a token from after a restored backup ends its session, and is no theft in the log', async () => {
    const user = await app.register();
    const { body } = await refresh(user.refresh);
    await app.db.write([
      {
        sql: 'UPDATE session SET generation = 0 WHERE id = ?',
        params: [user.sessionId],
        map: () => [],
        returns: false,
      },
    ]);
    app.clock.advance(11 * SECOND);
    expect((await refresh(body.refresh_token)).body.code).toBe('session_revoked');
    expect((await refresh(user.refresh)).body.code).toBe('session_revoked');
    const reused = app.log.filter(({ event }) => event === 'refresh_token.reused');
    expect(reused.filter((line) => line['session.id'] === user.sessionId)).toEqual([]);
  });

  test('tabs that share a cookie jar: twenty at once, again and again, and the session lives', async () => {
    const user = await app.register();
    let jar = user.refresh;
    for (let round = 0; round < 20; round++) {
      // Each request takes what the jar holds when it is sent; each answer goes into the jar.
      const replies = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const reply = await refresh(jar);
          jar = reply.body.refresh_token ?? jar;
          return reply.status;
        }),
      );
      expect(replies).toEqual(replies.map(() => 200));
      app.clock.advance(3 * SECOND);
    }
  });

  test('S02: fifty parallel refreshes of one token give one successor, in every round', async () => {
    for (let round = 0; round < 5; round++) {
      const user = await app.register();
      const replies = await Promise.all(Array.from({ length: 50 }, () => refresh(user.refresh)));
      const successors = new Set(
        replies.filter(({ status }) => status === 200).map(({ body }) => body.refresh_token),
      );
      expect(successors.size).toBe(1);
      expect((await refresh([...successors][0])).status).toBe(200);
    }
  });

  test('a grace of 0s is strict: the second use ends the session', async () => {
    const strict = await createTestApp({ config: '[sessions]\nrefresh_grace = "0s"\n' });
    const user = await strict.register();
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => refresh(user.refresh, strict)),
    );
    expect(replies.filter(({ status }) => status === 200).length).toBe(1);
    expect(
      (await refresh(replies.find(({ status }) => status === 200)?.body.refresh_token, strict)).body
        .code,
    ).toBe('session_revoked');
    await strict.stop();
  });

  test('S03: idle and absolute lifetimes end a session (ASVS 7.3.1, 7.3.2)', async () => {
    const own = await createTestApp();
    const idle = await own.register();
    own.clock.advance(7 * DAY + SECOND);
    expect((await refresh(idle.refresh, own)).body.code).toBe('refresh_token_expired');
    const busy = await own.register();
    let token = busy.refresh;
    for (let day = 0; day < 29; day += 5) {
      own.clock.advance(5 * DAY - SECOND);
      const next = await refresh(token, own);
      expect([day, next.status]).toEqual([day, day < 25 ? 200 : 200]);
      token = next.body.refresh_token;
    }
    own.clock.advance(DAY);
    expect((await refresh(token, own)).body.code).toBe('refresh_token_expired');
    await own.stop();
  });

  test('S03: dead after logout, logout of all, password change, removal, deletion', async () => {
    const ways: Record<
      string,
      (user: Awaited<ReturnType<typeof app.register>>) => Promise<unknown>
    > = {
      logout: (user) => app.call('POST', '/logout', { body: { refresh_token: user.refresh } }),
      'logout/all': (user) => app.call('POST', '/logout/all', { token: user.access }),
      deletion: (user) => app.call('DELETE', '/me', { token: user.access }),
      'password change elsewhere': async (user) => {
        const other = await app.login(user.username);
        return app.call('POST', '/me/password', {
          token: other.body.access_token,
          body: { current_password: PASSWORD, new_password: 'an entirely other passphrase' },
        });
      },
      removal: async (user) => {
        const other = await app.login(user.username);
        return app.call('DELETE', `/me/sessions/${user.sessionId}`, {
          token: other.body.access_token,
        });
      },
    };
    for (const [way, end] of Object.entries(ways)) {
      const user = await app.register();
      await end(user);
      expect([way, (await refresh(user.refresh)).body.code]).toEqual([way, 'session_revoked']);
      expect([way, (await app.call('GET', '/verify', { token: user.access })).status]).toEqual([
        way,
        401,
      ]);
      expect([way, (await app.call('GET', '/me', { token: user.access })).status]).toEqual([
        way,
        401,
      ]);
    }
  });

  test('S06: altered, cut, of the wrong kind: invalid_token', async () => {
    const user = await app.register();
    const flipped = user.refresh.slice(0, -1) + (user.refresh.endsWith('A') ? 'B' : 'A');
    for (const token of [
      flipped,
      user.refresh.slice(0, -10),
      user.refresh.split('.').slice(0, 2).join('.'),
      user.access,
      `${user.refresh} `,
      `${user.refresh}=`,
      'x',
    ]) {
      const { status, body } = await refresh(token);
      expect([status, body.code]).toEqual([401, 'invalid_token']);
    }
    expect((await refresh(user.refresh)).status).toBe(200);
  });

  test('without a token at all: 422 at its pointer', async () => {
    expect((await app.call('POST', '/refresh', { body: {} })).body.errors[0].pointer).toBe(
      '/refresh_token',
    );
    expect((await app.call('POST', '/refresh')).status).toBe(422);
  });

  test('D02: a clock set back revives nothing that was spent and locks nobody out', async () => {
    const own = await createTestApp();
    const user = await own.register();
    const next = await refresh(user.refresh, own);
    const used = await refresh(next.body.refresh_token, own);
    own.clock.advance(-10 * 365 * DAY);
    expect((await refresh(user.refresh, own)).body.code).toBe('refresh_token_reused');
    expect((await refresh(used.body.refresh_token, own)).body.code).toBe('session_revoked');
    const later = await own.login(user.username);
    expect(later.status).toBe(200);
    expect((await refresh(later.body.refresh_token, own)).status).toBe(200);
    own.clock.advance(10 * 365 * DAY);
    await own.stop();
  });
});

describe('sessions', () => {
  test('GET /me/sessions lists them and knows the current one', async () => {
    const user = await app.register();
    const second = await app.call('POST', '/login', {
      body: { username: user.username, password: PASSWORD },
      headers: { 'user-agent': 'Phone\u0007/1.0'.replace('\u0007', '') },
    });
    const { body } = await app.call('GET', '/me/sessions', { token: second.body.access_token });
    expect(body.sessions).toHaveLength(2);
    const current = body.sessions.find((session: { current: boolean }) => session.current);
    expect(current).toMatchObject({
      id: second.body.session_id,
      ip: '127.0.0.1',
      user_agent: 'Phone/1.0',
      amr: ['pwd'],
    });
    expect(current.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  test("S08: another user's session can't be ended, nor one that isn't", async () => {
    const [alice, bob] = [await app.register(), await app.register()];
    for (const id of [bob.sessionId, 'nonsense', '%00', bob.sessionId.toUpperCase()]) {
      expect((await app.call('DELETE', `/me/sessions/${id}`, { token: alice.access })).status).toBe(
        id === '%00' ? 404 : 404,
      );
    }
    expect((await refresh(bob.refresh)).status).toBe(200);
  });

  test('max_per_user ends the oldest', async () => {
    const few = await createTestApp({ config: '[sessions]\nmax_per_user = 3\n' });
    const first = await few.register();
    const more = [
      await few.login(first.username),
      await few.login(first.username),
      await few.login(first.username),
    ];
    expect((await refresh(first.refresh, few)).body.code).toBe('session_revoked');
    expect((await few.call('GET', '/verify', { token: first.access })).status).toBe(401);
    for (const { body } of more) expect((await refresh(body.refresh_token, few)).status).toBe(200);
    await few.stop();
  });

  test('POST /logout is idempotent, takes refresh or access token, and refuses what is none', async () => {
    const user = await app.register();
    expect((await app.call('POST', '/logout', { token: user.access })).status).toBe(204);
    expect((await app.call('POST', '/logout', { token: user.access })).status).toBe(204);
    expect(
      (await app.call('POST', '/logout', { body: { refresh_token: user.refresh } })).status,
    ).toBe(204);
    expect(
      (await app.call('POST', '/logout', { body: { refresh_token: 'x.y.z' } })).body.code,
    ).toBe('invalid_token');
    expect(
      (await app.call('POST', '/logout', { body: { refresh_token: user.access } })).body.code,
    ).toBe('invalid_token');
  });

  test('POST /logout/all ends every session of the user and of nobody else', async () => {
    const [alice, bob] = [await app.register(), await app.register()];
    const second = await app.login(alice.username);
    expect((await app.call('POST', '/logout/all', { token: alice.access })).status).toBe(204);
    expect((await refresh(second.body.refresh_token)).body.code).toBe('session_revoked');
    expect((await refresh(bob.refresh)).status).toBe(200);
    expect((await app.call('POST', '/logout/all', { token: alice.access })).status).toBe(401);
  });

  test('S07: ids that a client sends along are refused', async () => {
    const user = await app.register();
    for (const member of ['session_id', 'sid', 'jti', 'sub']) {
      expect((await app.login(user.username, PASSWORD, { [member]: 'mine' })).status).toBe(422);
    }
  });

  test('another process on the same file sees an ended session in its GET /verify', async () => {
    const other = await createTestApp({ directory: app.directory, clock: app.clock });
    const user = await app.register();
    expect((await other.call('GET', '/verify', { token: user.access })).status).toBe(204);
    await app.call('POST', '/logout', { token: user.access });
    await expect
      .poll(async () => (await other.call('GET', '/verify', { token: user.access })).status, {
        timeout: 5_000,
      })
      .toBe(401);
    await other.stop();
  });

  test('a restart keeps ended sessions ended and live ones live', async () => {
    const [gone, stays] = [await app.register(), await app.register()];
    await app.call('POST', '/logout', { token: gone.access });
    const restarted = await createTestApp({ directory: app.directory, clock: app.clock });
    expect((await restarted.call('GET', '/verify', { token: gone.access })).status).toBe(401);
    expect((await restarted.call('GET', '/verify', { token: stays.access })).status).toBe(204);
    expect((await refresh(stays.refresh, restarted)).status).toBe(200);
    await restarted.stop();
  });
});

describe('cookies', () => {
  const ORIGIN = 'https://app.example.com';
  const CONFIG = `[cookies]\nenabled = true\nallowed_origins = ["${ORIGIN}"]\n`;

  test('the refresh token travels in __Host-refresh and is left out of the body; only a listed Origin may use it', async () => {
    const own = await createTestApp({ config: CONFIG });
    const user = await own.register();
    const login = await own.call('POST', '/login', {
      body: { username: user.username, password: PASSWORD, cookie: true },
      headers: { origin: ORIGIN },
    });
    expect(login.body.refresh_token).toBeUndefined();
    expect(login.body.device_token).toBeUndefined();
    const cookies = login.headers.getSetCookie();
    const [line] = cookies.filter((cookie) => cookie.startsWith('__Host-refresh='));
    expect(line).toMatch(/; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
    const cookie = line?.split(';')[0] ?? '';
    for (const origin of [
      undefined,
      'https://evil.example.com',
      `${ORIGIN}.evil.io`,
      'null',
      'https://APP.example.com',
    ]) {
      const refused = await own.call('POST', '/refresh', {
        headers: { cookie, ...(origin === undefined ? {} : { origin }) },
      });
      expect([origin, refused.status, refused.body.code]).toEqual([
        origin,
        403,
        'origin_not_allowed',
      ]);
    }
    const next = await own.call('POST', '/refresh', { headers: { cookie, origin: ORIGIN } });
    expect([next.status, next.body.refresh_token]).toEqual([200, undefined]);
    expect(next.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(next.headers.get('access-control-allow-credentials')).toBe('true');
    const successor = next.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const out = await own.call('POST', '/logout', {
      headers: { cookie: successor, origin: ORIGIN },
    });
    expect(out.status).toBe(204);
    expect(out.headers.getSetCookie()[0]).toMatch(/^__Host-refresh=; Max-Age=0/);
    expect(
      (await own.call('POST', '/refresh', { headers: { cookie: successor, origin: ORIGIN } }))
        .status,
    ).toBe(401);
    await own.stop();
  });

  test('no cookie: 401 with a code of its own, which names the site when that is why', async () => {
    const own = await createTestApp({ config: CONFIG });
    const ask = async (path: string, headers: Record<string, string>) => {
      const { status, body } = await own.call('POST', path, { headers });
      return [status, body.code, body.detail.includes('different sites')];
    };
    for (const path of ['/refresh', '/logout']) {
      const missing = [401, 'refresh_cookie_missing'];
      expect(await ask(path, {})).toEqual([...missing, false]);
      expect(await ask(path, { origin: ORIGIN, 'sec-fetch-site': 'same-site' })).toEqual([
        ...missing,
        false,
      ]);
      expect(await ask(path, { origin: ORIGIN, 'sec-fetch-site': 'cross-site' })).toEqual([
        ...missing,
        true,
      ]);
      // Without the browser's word, by Origin and Host: 127.0.0.1 here.
      expect(await ask(path, { origin: 'http://localhost:5173' })).toEqual([...missing, true]);
      expect(await ask(path, { origin: 'http://127.0.0.1:5173' })).toEqual([...missing, false]);
    }
    await own.stop();
  });

  test('a page of another site gets the reason, instead of losing its cookie silently', async () => {
    const own = await createTestApp({ config: CONFIG });
    const user = await own.register();
    const login = (site: string) =>
      own.call('POST', '/login', {
        body: { username: user.username, password: PASSWORD, cookie: true },
        headers: { origin: ORIGIN, 'sec-fetch-site': site },
      });
    const refused = await login('cross-site');
    expect([refused.status, refused.body.code]).toEqual([403, 'origin_not_allowed']);
    expect(refused.body.detail).toContain('different sites');
    expect(refused.headers.getSetCookie()).toEqual([]);
    expect((await login('same-site')).status).toBe(200);
    await own.stop();
  });

  test.each([
    ['https://app.example.com', 'auth.example.com', false],
    ['https://app.example.com', 'auth.example.com:8443', false],
    ['https://app.example.com', 'auth.example.org', true],
    ['http://localhost:3000', 'localhost:7400', false],
    ['http://localhost:3000', '127.0.0.1:7400', true],
    ['http://[::1]:3000', 'localhost:7400', true],
    ['null', 'localhost:7400', false],
    [null, 'localhost:7400', false],
    ['https://app.example.com', null, false],
  ])('%s and %s are of different sites: %j', (origin, host, expected) =>
    expect(isOtherSite(origin, host)).toBe(expected),
  );

  test('asked for where cookies are off: 422; from another origin: 403', async () => {
    const user = await app.register();
    expect(
      (await app.login(user.username, PASSWORD, { cookie: true })).body.errors[0].pointer,
    ).toBe('/cookie');
    const own = await createTestApp({ config: CONFIG });
    const reply = await own.call('POST', '/register', {
      body: { username: 'x1', password: PASSWORD, cookie: true },
      headers: { origin: 'https://evil.io' },
    });
    expect([reply.status, reply.body.code]).toEqual([403, 'origin_not_allowed']);
    await own.stop();
  });
});
