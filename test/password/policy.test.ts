/**
 * Passwords end to end: what is taken, how exactly it is compared, and what a better hash does
 * (P01–P08, ASVS 6.2.x).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { plantHash, storedHash } from './rows.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({ config: '[password]\ncontext_words = ["zephyrworks"]\n' });
});
afterAll(() => app.stop());

let names = 0;
const next = () => `policy-${++names}`;
const register = (password: unknown, extra: object = {}, target = app) =>
  target.call('POST', '/register', { body: { username: next(), password, ...extra } });
const faultsOf = (body: { errors?: { pointer: string; code: string }[] }) =>
  (body.errors ?? []).map(({ pointer, code }) => `${pointer} ${code}`);

describe('length (P01, D5, ASVS 6.2.1, 6.2.9)', () => {
  test.each([
    [7, 422],
    [8, 422],
    [14, 422],
    [15, 201],
    [64, 201],
    [128, 201],
    [129, 422],
    [1_024, 422],
    [1_025, 422],
    [60_000, 422],
    [1_000_000, 413],
  ])('%d characters: %d', async (length, status) => {
    const password = Array.from(
      { length: Math.min(length, 1_000_000) },
      (_, i) => 'qkzvjxwpmf'[(i * 7 + Math.floor(i / 10)) % 10],
    ).join('');
    const reply = await register(password);
    expect(reply.status).toBe(status);
    if (status === 422)
      expect(faultsOf(reply.body)).toEqual([
        length < 15 ? '/password too_short' : '/password too_long',
      ]);
    if (status === 201)
      expect((await app.login(reply.body.user.username, password)).status).toBe(200);
  });

  test('code points are counted, after NFC', async () => {
    expect((await register('🐎'.repeat(14))).status).toBe(422);
    expect((await register('🐎🔋'.repeat(64))).status).toBe(201);
    expect((await register('🐎🔋'.repeat(64) + '🐎')).status).toBe(422);
    // é as two code points is one after NFC: 14 of them are too few, 128 not too many.
    expect((await register('e\u0301'.repeat(14))).status).toBe(422);
    expect((await register('ae\u0301'.repeat(64))).status).toBe(201);
  });

  test('what is too long is refused at sign-in, and never taken for the right one', async () => {
    const password = 'Horse '.repeat(21) + 'ab';
    const { body } = await register(password);
    expect([401, 422]).toContain(
      (await app.login(body.user.username, password + 'x'.repeat(50_000))).status,
    );
    expect((await app.login(body.user.username, password)).status).toBe(200);
  });
});

describe('no composition rules (ASVS 6.2.5)', () => {
  test.each([
    'qkzvjxwpmfhtbgd',
    'QKZVJXWPMFHTBGD',
    '847261950384729',
    '!?$%&()=+*~#@<>',
    '               a',
    'пароль из одних букв',
    '正確馬電池釘書針正確馬電池釘書',
    '🐎🔋📎🐎🔋📎🐎🔋🐢🐎🔋📎🐎🔋📎',
    'correct horse battery staple',
  ])('%j is taken and signs in', async (password) => {
    const { status, body } = await register(password);
    expect([status, faultsOf(body)]).toEqual([201, []]);
    expect((await app.login(body.user.username, password)).status).toBe(200);
  });
});

describe('compared exactly (P02–P04, ASVS 6.2.8)', () => {
  test('72 letters and an X are not 72 letters and a Y: nothing is cut', async () => {
    const head = 'kq'.repeat(36);
    for (const [mine, theirs] of [
      [`${head}X`, `${head}Y`],
      [`${head}X`, head],
      [`${'vz'.repeat(63)}ab`, `${'vz'.repeat(63)}ac`],
    ] as const) {
      const { body } = await register(mine);
      expect((await app.login(body.user.username, theirs)).status).toBe(401);
      expect((await app.login(body.user.username, mine)).status).toBe(200);
    }
  });

  test('neither case nor spaces are folded', async () => {
    const mine = 'Correct horse battery staple';
    const { body } = await register(mine);
    for (const theirs of [
      'correct horse battery staple',
      'CORRECT HORSE BATTERY STAPLE',
      ` ${mine}`,
      `${mine} `,
      mine.replace(' ', '  '),
      mine.replace(' ', '\u00a0'),
      mine.replaceAll(' ', ''),
      `${mine}\u200b`,
    ])
      expect([theirs, (await app.login(body.user.username, theirs)).status]).toEqual([theirs, 401]);
    expect((await app.login(body.user.username, mine)).status).toBe(200);
  });

  test('P03: NFC and NFD of a word are one, what is alike in NFKC alone is not', async () => {
    const nfc = 'crème brûlée à la carte';
    for (const mine of [nfc, nfc.normalize('NFD')]) {
      const { body } = await register(mine);
      expect((await app.login(body.user.username, nfc.normalize('NFC'))).status).toBe(200);
      expect((await app.login(body.user.username, nfc.normalize('NFD'))).status).toBe(200);
    }
    for (const [mine, theirs] of [
      ['ﬁne horses and batteries', 'fine horses and batteries'],
      ['Ｃorrect horse battery', 'Correct horse battery'],
      ['room ² with a view here', 'room 2 with a view here'],
    ] as const) {
      const { body } = await register(mine);
      expect([mine, (await app.login(body.user.username, theirs)).status]).toEqual([mine, 401]);
      expect((await app.login(body.user.username, mine)).status).toBe(200);
    }
  });

  test('P04: NUL, half a surrogate pair and control characters are refused, and match no look-alike', async () => {
    const sent = (json: string, path = '/register') =>
      app.call('POST', path, { raw: `{"username":"${next()}","password":"${json}"}` });
    for (const bad of [
      '\\u0000',
      '\\ud800',
      '\\udc00',
      '\\udc00\\ud800',
      '\\u0007',
      '\\u001b',
      '\\u007f',
      '\\u0085',
      '\\t',
      '\\n',
      '\\r',
    ])
      expect([bad, (await sent(`correct horse ${bad} battery staple`)).status]).toEqual([bad, 422]);
    const { body } = await register('correct horse \ufffd battery');
    for (const bad of ['\\ud800', '\\udfff'])
      expect(
        (
          await app.call('POST', '/login', {
            raw: `{"username":"${body.user.username}","password":"correct horse ${bad} battery"}`,
          })
        ).status,
      ).toBe(422);
    const plain = await register('correct horse battery');
    for (const bad of ['\\u0000', '\\u0000 and more', '\\u0001', '\\u0085'])
      expect([401, 422]).toContain(
        (
          await app.call('POST', '/login', {
            raw: `{"username":"${plain.body.user.username}","password":"correct horse battery${bad}"}`,
          })
        ).status,
      );
  });

  test('P06: a password is a text', async () => {
    for (const value of [
      ['correct horse battery staple'],
      { a: 'correct horse battery staple' },
      123456789012345,
      true,
      null,
      undefined,
    ])
      expect([value, (await register(value)).status]).toEqual([value, 422]);
  });
});

describe('what is refused (P05, ASVS 6.2.4, 6.2.11, N3)', () => {
  test('passwords that everybody uses, with the reason, whatever their case', async () => {
    const short = await createTestApp({ config: '[password]\nmin_length = 8\n' });
    const top =
      '12345678 123456789 1234567890 password password1 password123 qwertyuiop qwerty123 1q2w3e4r5t iloveyou sunshine princess football baseball superman trustno1 welcome1 jennifer michelle starwars computer whatever 11111111 00000000 88888888 87654321 987654321 abcd1234 1qaz2wsx q1w2e3r4 passw0rd letmein1 asdfghjkl zxcvbnm123 qazwsxedc 123123123 12341234 11223344 internet maverick midnight mustang1 corvette victoria alexander samantha danielle charlie1 liverpool dragon123'.split(
        ' ',
      );
    const missed: string[] = [];
    for (const password of top) {
      for (const spelled of [password, password.toUpperCase()]) {
        const { status, body } = await register(spelled, {}, short);
        if (
          status !== 422 ||
          !faultsOf(body).some(
            (fault) => fault === '/password common' || fault === '/password context_word',
          )
        )
          missed.push(spelled);
      }
    }
    expect(missed).toEqual([]);
    await short.stop();
  });

  test('names of the account, of the service, and the operator’s words', async () => {
    for (const [password, extra] of [
      ['ada-lovelace-2024', { username: 'ada-lovelace' }],
      ['4da-l0velace-2024', { username: 'ada-lovelace' }],
      ['grace.hopper@navy', { email: 'grace.hopper@navy.example' }],
      ['Countess Lovelace!', { display_name: 'Countess Lovelace' }],
      ['postern-postern-1', {}],
      ['p0stern_password!', {}],
      ['zephyrworks-12345', {}],
      ['ZephyrWorks!!!2026', {}],
    ] as const) {
      const { status, body } = await register(password, extra);
      expect([password, status, faultsOf(body)]).toEqual([
        password,
        422,
        ['/password context_word'],
      ]);
    }
    // No substring rule: a phrase of one's own may contain a name.
    expect(
      (await register('ada-lovelace-draws-engines', { username: 'ada-lovelace' })).status,
    ).toBe(201);
  });

  test('the refusal repeats nothing of the password', async () => {
    const { body } = await register('canary\u0007canary\u0007canary');
    expect(JSON.stringify(body)).not.toContain('canary');
  });
});

test('ASVS 6.2.10: a password does not expire; after 400 days it still signs in', async () => {
  const own = await createTestApp();
  const { username } = await own.register();
  own.clock.advance(400 * 86_400_000);
  expect((await own.login(username)).status).toBe(200);
  await own.stop();
});

describe('what is stored (P08, N4, ASVS 11.2.2, 11.4.2)', () => {
  const COST = '[password]\nmemory = "19MiB"\npasses = 2\nthreads = 1\n';
  const PEPPERS = ['bYk3QmVf8zRt2WxLp9Nc', 'Hs6uJd1GaTe4KoZi7XqM'] as const;
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-test-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const withConfig = async <T>(
    config: string | undefined,
    work: (target: TestApp) => Promise<T>,
  ): Promise<T> => {
    const target = await createTestApp({ directory, ...(config === undefined ? {} : { config }) });
    try {
      return await work(target);
    } finally {
      await target.stop();
    }
  };

  test('argon2id at the configured cost, with a salt of its own; the default cost is what ASVS asks for', async () => {
    await withConfig(COST, async (target) => {
      const one = await target.register();
      const two = await target.register();
      const hashes = [await storedHash(target, one.userId), await storedHash(target, two.userId)];
      for (const hash of hashes) expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
      expect(hashes[0]?.split('$')[4]).not.toBe(hashes[1]?.split('$')[4]);
    });
  });

  test('a cost that was raised reaches each hash at its next sign-in, and the password stays the same', async () => {
    const { username, userId } = await withConfig(undefined, async (target) => {
      const user = await target.register();
      expect(await storedHash(target, user.userId)).toMatch(/m=8,t=1/);
      return user;
    });
    const raised = await withConfig(COST, async (target) => {
      const before = await storedHash(target, userId);
      expect((await target.login(username, 'wrong horse battery staple')).status).toBe(401);
      expect(await storedHash(target, userId)).toBe(before);
      expect((await target.login(username)).status).toBe(200);
      const after = await storedHash(target, userId);
      expect(after).toMatch(/m=19456,t=2/);
      expect((await target.login(username)).status).toBe(200);
      expect(await storedHash(target, userId)).toBe(after);
      return after;
    });
    // And back: an instance at the lower cost still reads it.
    await withConfig(undefined, async (target) => {
      expect((await target.login(username)).status).toBe(200);
      expect(await storedHash(target, userId)).not.toBe(raised);
    });
  });

  test('a pepper can be added, changed and followed by the next one; without it nothing verifies (ASVS 13.3.4)', async () => {
    const first = `[password]\npepper = "${PEPPERS[0]}"\n`;
    const second = `[password]\npepper = "${PEPPERS[1]}"\nprevious_peppers = ["${PEPPERS[0]}"]\n`;
    const alone = `[password]\npepper = "${PEPPERS[1]}"\n`;
    const { username, userId } = await withConfig(undefined, (target) => target.register());
    const signIn = (config: string | undefined) =>
      withConfig(
        config,
        async (target) =>
          [(await target.login(username)).status, await storedHash(target, userId)] as const,
      );
    const keyed = await signIn(first);
    expect(keyed).toEqual([200, expect.stringContaining('keyid=')]);
    expect(keyed[1]).not.toContain(PEPPERS[0]);
    expect((await signIn(undefined))[0]).toBe(401);
    expect((await signIn(alone))[0]).toBe(401);
    const moved = await signIn(second);
    expect([moved[0], moved[1] === keyed[1]]).toEqual([200, false]);
    expect((await signIn(alone))[0]).toBe(200);
    expect((await signIn(first))[0]).toBe(401);
  });

  test('two sign-ins at once upgrade a hash once, and both succeed', async () => {
    const { username, userId } = await withConfig(undefined, (target) => target.register());
    await withConfig(COST, async (target) => {
      const replies = await Promise.all(Array.from({ length: 5 }, () => target.login(username)));
      expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
      expect(await storedHash(target, userId)).toMatch(/m=19456,t=2/);
      expect((await target.login(username)).status).toBe(200);
    });
  });

  test('a hash that asks for 4 GiB, or is no hash, is refused, and never run', async () => {
    const { username, userId } = await app.register();
    const good = await storedHash(app, userId);
    const before = process.memoryUsage().rss;
    for (const hash of [
      good.replace(/m=\d+/, 'm=4194304'),
      good.replace(/t=\d+/, 't=4294967295'),
      good.replace(/p=\d+/, 'p=16777215'),
      good.replace('argon2id', 'argon2d'),
      good.replace('v=19', 'v=16'),
      '',
      '$',
      'plain',
      PASSWORD,
      good.slice(0, -1),
      `${good}A`,
      good.replace(/\$[^$]+$/, '$'),
      '$2b$12$xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
      `${good}\n`,
      '*',
      '!',
    ]) {
      await plantHash(app, userId, hash);
      expect([hash.slice(0, 30), (await app.login(username)).status]).toEqual([
        hash.slice(0, 30),
        401,
      ]);
      await app.db.write([
        { sql: 'DELETE FROM attempt', params: [], map: () => [], returns: false },
      ]);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024);
    await plantHash(app, userId, good);
    expect((await app.login(username)).status).toBe(200);
  });
});
