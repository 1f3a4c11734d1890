/**
 * Attempts on an account: counted once, limited for all, and never a way to keep its owner out
 * (L01–L03, E01, E05, N5).
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';
import { request, sendRaw } from '../support/raw.ts';
import { fillBucket } from './rows.ts';

const WRONG = 'wrong horse battery staple';
const SECOND = 1_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    config:
      '[server]\ntrusted_proxies = ["127.0.0.1"]\n[throttle]\nattempts = 10\nwindow = "1d"\nwait = "30s"\nmax_wait = "1h"\n',
  });
});
afterAll(() => app.stop());

const retryAfter = (reply: Reply) => Number(reply.headers.get('retry-after'));

describe('one counter for an account (L01)', () => {
  test('however its name is spelled, wherever it comes from, however the path is written', async () => {
    await app.register('Straße.Ada');
    const spellings = [
      'Straße.Ada',
      'straße.ada',
      'STRASSE.ADA',
      'strasse.ada',
      'Ｓtraße.Ada',
      'STRAßE.ADA',
      'ſtraße.ada',
    ];
    const paths = ['/login', '/%6cogin', '/lo%67in'];
    const agents = ['curl/8', 'Mozilla/5.0', ''];
    const { looked } = await fillBucket(() => {
      const i = Math.floor(Math.random() * 1_000);
      return app.call('POST', paths[i % 3] ?? '', {
        raw: JSON.stringify({
          username: spellings[i % spellings.length],
          password: `${WRONG} ${i}`,
        }).replace('"username"', i % 2 ? '"usern\\u0061me"' : '"username"'),
        headers: {
          'x-forwarded-for': `198.51.${i % 256}.${(i * 7) % 256}`,
          'user-agent': agents[i % 3] ?? '',
        },
      });
    });
    expect(looked).toBeLessThanOrEqual(11);
    for (const username of spellings)
      expect([username, (await app.login(username)).status]).toEqual([username, 429]);
  });

  test('a spelling that is another name counts elsewhere, and names nobody', async () => {
    await app.register('plain-name');
    for (const username of [
      'plain-name ',
      ' plain-name',
      'plain.name',
      'plаin-name',
      'plain-name\u200b',
      'plain‐name',
      'plain-name%00',
      'plain-name/',
      'plain_name',
    ]) {
      expect([username, (await app.login(username)).body.code]).toEqual([
        username,
        'invalid_credentials',
      ]);
    }
    expect((await app.login('plain-name')).status).toBe(200);
  });

  test('ASVS 15.3.4: a client’s forged address changes nothing', async () => {
    const { username } = await app.register();
    const direct = await createTestApp({ directory: app.directory });
    let address = 0;
    const { looked } = await fillBucket(async () => {
      const body = JSON.stringify({ username, password: WRONG });
      const headers = [
        `X-Forwarded-For: 203.0.113.${address++}`,
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
        'Connection: close',
      ];
      const [reply] = (await sendRaw(direct.url, request('POST /login', headers) + body)).replies;
      return {
        status: reply?.status ?? 0,
        headers: new Headers(reply?.headers),
        body: JSON.parse(reply?.body ?? '{}'),
      };
    });
    expect(looked).toBeLessThanOrEqual(11);
    await direct.stop();
  });

  test('a second process on the same database uses the same counter, and so does a restart (L05)', async () => {
    const { username } = await app.register();
    const twin = await createTestApp({ directory: app.directory, clock: app.clock });
    let turn = 0;
    const { looked } = await fillBucket(() =>
      (turn++ % 2 === 0 ? app : twin).login(username, WRONG),
    );
    expect(looked).toBeLessThanOrEqual(11);
    await twin.stop();
    const restarted = await createTestApp({ directory: app.directory, clock: app.clock });
    expect((await restarted.login(username)).status).toBe(429);
    await restarted.stop();
  });
});

describe('a burst (L03)', () => {
  test('of 100 parallel wrong passwords no more are looked at than the limit says', async () => {
    for (let round = 0; round < 3; round++) {
      const { username } = await app.register();
      const verify = vi.spyOn(app.kernel.passwordHasher, 'verify');
      const replies = await Promise.all(
        Array.from({ length: 100 }, (_, i) => app.login(username, `${WRONG} ${i}`)),
      );
      const evaluated = verify.mock.calls.length;
      verify.mockRestore();
      expect(evaluated).toBeLessThanOrEqual(10);
      expect(replies.filter(({ status }) => status === 401).length).toBeLessThanOrEqual(10);
      expect(replies.every(({ status }) => status === 401 || status === 429)).toBe(true);
    }
  });

  test('the right password among them opens the account only within the limit', async () => {
    const { username } = await app.register();
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, i) => app.login(username, i === 99 ? PASSWORD : WRONG)),
    );
    expect(replies[99]?.status).toBe(429);
  });
});

describe('waits (N5)', () => {
  test('grow from 30 seconds to an hour, and never past it', async () => {
    const own = await createTestApp();
    const { username } = await own.register();
    const { refusal } = await fillBucket(() => own.login(username, WRONG));
    expect(retryAfter(refusal)).toBe(30);
    const waits: number[] = [];
    for (let i = 0; i < 9; i++) {
      const wait = retryAfter(await own.login(username, WRONG));
      waits.push(wait);
      own.clock.advance((wait - 2) * SECOND);
      expect((await own.login(username)).status).toBe(429);
      own.clock.advance(3 * SECOND);
      expect((await own.login(username, WRONG)).status).toBe(401);
    }
    for (const [i, wait] of waits.entries()) {
      const expected = Math.min(3_600, 30 * 2 ** i);
      // What drains in the meantime may make a wait one step shorter, never longer.
      expect([i, wait <= expected && wait >= Math.min(3_600, expected / 4)]).toEqual([i, true]);
      if (i > 0) expect(wait).toBeGreaterThanOrEqual(waits[i - 1] ?? 0);
    }
    expect(Math.max(...waits)).toBe(3_600);
    await own.stop();
  });

  test('an attempt that is refused counts for nothing: hammering makes no wait longer', async () => {
    const own = await createTestApp();
    const { username } = await own.register();
    await fillBucket(() => own.login(username, WRONG));
    for (let i = 0; i < 50; i++) expect((await own.login(username, WRONG)).status).toBe(429);
    own.clock.advance(31 * SECOND);
    expect((await own.login(username)).status).toBe(200);
    await own.stop();
  });

  test('a success sets the counter back', async () => {
    const own = await createTestApp();
    const { username } = await own.register();
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 9; i++) expect((await own.login(username, WRONG)).status).toBe(401);
      expect((await own.login(username)).status).toBe(200);
    }
    await own.stop();
  });

  test('failures drain over the window', async () => {
    const own = await createTestApp();
    const { username } = await own.register();
    for (let i = 0; i < 9; i++) await own.login(username, WRONG);
    own.clock.advance(DAY + HOUR);
    for (let i = 0; i < 9; i++) expect((await own.login(username, WRONG)).status).toBe(401);
    await own.stop();
  });

  test('G11, D02: a clock that is set back locks nobody out for longer, and one that is set forward opens nothing early', async () => {
    const own = await createTestApp();
    const { username } = await own.register();
    await fillBucket(() => own.login(username, WRONG));
    own.clock.advance(-10 * 365 * DAY);
    const reply = await own.login(username);
    expect(reply.status === 200 || (reply.status === 429 && retryAfter(reply) <= 3_600)).toBe(true);
    own.clock.advance(10 * 365 * DAY + HOUR);
    expect((await own.login(username)).status).toBe(200);
    await own.stop();
  });
});

describe('a hundred failures in a row (N5)', () => {
  test('lock the password, however long one waits, until the operator unlocks it; housekeeping keeps the counter', async () => {
    const own = await createTestApp();
    const { username, userId } = await own.register();
    let looked = 0;
    for (let i = 0; i < 130; i++) {
      const { status } = await own.login(username, WRONG);
      if (status === 401) looked++;
      own.clock.advance(HOUR + SECOND);
    }
    expect(looked).toBe(100);
    for (const days of [1, 30, 400]) {
      own.clock.advance(days * DAY);
      const { status, body } = await own.login(username);
      expect([days, status, body.code]).toEqual([days, 429, 'too_many_attempts']);
    }
    await own.kernel.accountState.unlock(operator, userId);
    expect((await own.login(username)).status).toBe(200);
    await own.stop();
  });

  test('ninety-nine and a success are no hundred', async () => {
    const own = await createTestApp();
    const { username } = await own.register();
    for (let i = 0; i < 99; i++) {
      expect((await own.login(username, WRONG)).status).toBe(401);
      own.clock.advance(HOUR + SECOND);
    }
    expect((await own.login(username)).status).toBe(200);
    for (let i = 0; i < 10; i++) {
      expect((await own.login(username, WRONG)).status).toBe(401);
      own.clock.advance(HOUR + SECOND);
    }
    expect((await own.login(username)).status).toBe(200);
    await own.stop();
  });

  test('throttle.max_failures is the operator’s to lower', async () => {
    const own = await createTestApp({ config: '[throttle]\nattempts = 3\nmax_failures = 5\n' });
    const { username } = await own.register();
    for (let i = 0; i < 20; i++) {
      await own.login(username, WRONG);
      own.clock.advance(HOUR + SECOND);
    }
    expect((await own.login(username)).status).toBe(429);
    await own.stop();
  });
});

describe('a malicious lock-out (L02)', () => {
  test('a device that signed in before signs in while the account’s counter is at its limit, and while it is locked', async () => {
    const own = await createTestApp();
    const { username, deviceToken } = await own.register();
    await fillBucket(() => own.login(username, WRONG));
    expect((await own.login(username)).status).toBe(429);
    const known = await own.login(username, PASSWORD, { device_token: deviceToken });
    expect([known.status, known.body.device_token]).toEqual([200, deviceToken]);
    for (let i = 0; i < 130; i++) {
      await own.login(username, WRONG);
      own.clock.advance(HOUR + SECOND);
    }
    expect((await own.login(username)).status).toBe(429);
    expect((await own.login(username, PASSWORD, { device_token: deviceToken })).status).toBe(200);
    // A stranger’s bucket is not opened by it.
    expect((await own.login(username)).status).toBe(429);
    await own.stop();
  });

  test('a device’s counter is limited too, and does not affect others', async () => {
    const own = await createTestApp();
    const { username, deviceToken } = await own.register();
    const { looked } = await fillBucket(() =>
      own.login(username, WRONG, { device_token: deviceToken }),
    );
    expect(looked).toBeLessThanOrEqual(11);
    expect((await own.login(username, PASSWORD, { device_token: deviceToken })).status).toBe(429);
    expect((await own.login(username)).status).toBe(200);
    await own.stop();
  });

  test('a device token that is another user’s, altered, of no user, or of an old password gives no counter of its own', async () => {
    const own = await createTestApp();
    const victim = await own.register();
    const attacker = await own.register();
    await own.call('POST', '/me/password', {
      token: victim.access,
      body: { current_password: PASSWORD, new_password: 'another horse battery staple' },
    });
    await fillBucket(() => own.login(victim.username, WRONG));
    const altered = `${victim.deviceToken.slice(0, -1)}${victim.deviceToken.endsWith('A') ? 'B' : 'A'}`;
    for (const device_token of [
      attacker.deviceToken,
      victim.deviceToken,
      altered,
      'd1.AAAAAAAAAAAAAAAA.' + 'A'.repeat(43),
      'x',
      victim.access,
      victim.refresh,
      `${victim.deviceToken}x`,
    ]) {
      expect(
        (await own.login(victim.username, 'another horse battery staple', { device_token })).status,
      ).toBe(429);
    }
    await own.stop();
  });

  test('a thousand invented device tokens make no counter', async () => {
    const own = await createTestApp();
    const { username } = await own.register();
    let n = 0;
    const { looked } = await fillBucket(() =>
      own.login(username, WRONG, {
        device_token: `d1.${String(n++).padStart(16, 'A')}.${'A'.repeat(43)}`,
      }),
    );
    expect(looked).toBeLessThanOrEqual(11);
    const buckets = await own.db.read({
      sql: "SELECT count(*) FROM attempt WHERE purpose <> 'readiness'",
      params: [],
      map: (rows) => rows.map((row) => Number(row[0])),
      returns: true,
    });
    expect(buckets).toEqual([1]);
    await own.stop();
  });
});

describe('who has an account (E01, E05)', () => {
  /** What a caller can compare: all but the request id and the date. */
  const seen = ({ status, body, headers }: Reply) => ({
    status,
    body: { ...body, request_id: '' },
    headers: [...headers.keys()].sort(),
  });

  test('unknown, wrong, disabled, another’s device, no password at all, no name at all: one answer', async () => {
    const known = await app.register();
    const disabled = await app.register();
    await app.kernel.accountState.disable(operator, disabled.userId);
    const bare = await app.register();
    await app.db.write([
      {
        sql: 'DELETE FROM password_credential WHERE user_id = ?',
        params: [bare.userId],
        map: () => [],
        returns: false,
      },
    ]);
    const answer = seen(await app.login(known.username, WRONG));
    for (const reply of [
      await app.login('unknown-name', WRONG),
      await app.login('unknown@example.com', WRONG),
      await app.login(disabled.username, WRONG),
      await app.login(bare.username, WRONG),
      await app.login('not a name', WRONG),
      await app.login('', WRONG),
      await app.login(known.username, WRONG, { device_token: disabled.deviceToken }),
      await app.login(known.username, WRONG, { device_token: known.deviceToken }),
      await app.login('unknown-name', WRONG, { device_token: known.deviceToken }),
      await app.login(known.username, `${WRONG}\u0001`),
      await app.login('unknown-name', `${WRONG}\u0001`),
    ])
      expect(seen(reply)).toEqual(answer);
  });

  test('every one of them costs one hash', async () => {
    const known = await app.register();
    const verify = vi.spyOn(app.kernel.passwordHasher, 'verify');
    for (const [username, password] of [
      [known.username, WRONG],
      ['unknown-two', WRONG],
      ['not a name', WRONG],
      [known.username, 'a\u0000b'.replace('\u0000', '\u0001')],
      ['unknown-two', 'a\u0001b'],
    ] as const) {
      verify.mockClear();
      await app.login(username, password);
      expect([username, verify.mock.calls.length]).toEqual([username, 1]);
    }
    verify.mockRestore();
  });

  test('the 429 comes at the same attempt, with the same headers and the same waits, for a name that nobody has', async () => {
    const own = await createTestApp();
    const known = await own.register('known-name');
    const disabled = await own.register('gone-name');
    await own.kernel.accountState.disable(operator, disabled.userId);
    const courses: unknown[][] = [];
    for (const username of [
      known.username,
      'nobody-name',
      disabled.username,
      'nobody@example.com',
      'not a name',
    ]) {
      const course: unknown[] = [];
      for (let i = 0; i < 14; i++)
        course.push({ ...seen(await own.login(username, WRONG)), wait: 0 });
      own.clock.advance(31 * SECOND);
      for (let i = 0; i < 2; i++) course.push(seen(await own.login(username, WRONG)));
      courses.push(course);
    }
    for (const course of courses.slice(1)) expect(course).toEqual(courses[0]);
    await own.stop();
  });

  test('registering a name that is taken says so, and nothing else about its account', async () => {
    const { username } = await app.register();
    const { status, body } = await app.call('POST', '/register', {
      body: { username, password: PASSWORD },
    });
    expect([status, Object.keys(body).sort()]).toEqual([
      409,
      ['code', 'detail', 'request_id', 'status', 'title', 'type'],
    ]);
  });
});
