/**
 * Recovery codes: how they are made and stored, typed, spent, renewed (O04, N8, ASVS 6.5.1, 6.5.2,
 * 6.5.3).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  formatRecoveryCode,
  newRecoveryCodes,
  parseRecoveryCode,
} from '../../src/features/recovery-code/codes.ts';
import { createSystemRandom } from '../../src/crypto/secret.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { answer, challenge, claimsOf, enrol } from '../support/mfa.ts';

const systemRandom = createSystemRandom();

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({ config: '[password]\nqueue_length = 1000\ndeadline = "10s"\n' });
});
afterAll(() => app.stop());

const left = async (token: string): Promise<number> =>
  (await app.call('GET', '/me/factors', { token })).body.recovery_codes_left;

describe('a set', () => {
  test('ten codes of sixteen letters, easy to type, no two with the same first one', () => {
    for (let i = 0; i < 200; i++) {
      const codes = newRecoveryCodes(systemRandom).map(formatRecoveryCode);
      expect(codes).toHaveLength(10);
      expect(new Set(codes.map((code) => code.charAt(0))).size).toBe(10);
      for (const code of codes)
        expect(code).toMatch(/^[0-9a-hjkmnp-tv-z]{4}(?:-[0-9a-hjkmnp-tv-z]{4}){3}$/);
    }
  });

  test('N8, ASVS 6.5.3: 75 random bits beside the letter that picks the row: each letter at each place as likely (χ², p > 0.0001), no two alike', () => {
    const secrets = Array.from({ length: 1_000 }, () => newRecoveryCodes(systemRandom))
      .flat()
      .map((code) => parseRecoveryCode(formatRecoveryCode(code))?.secret ?? '');
    expect(new Set(secrets).size).toBe(10_000);
    for (let place = 0; place < 15; place++) {
      const counts = new Map<string, number>();
      for (const secret of secrets)
        counts.set(secret.charAt(place), (counts.get(secret.charAt(place)) ?? 0) + 1);
      expect(counts.size).toBe(32);
      const expected = 10_000 / 32;
      const chi = [...counts.values()].reduce(
        (sum, count) => sum + (count - expected) ** 2 / expected,
        0,
      );
      // 31 degrees of freedom: 69.1 is at 1 in 10,000.
      expect(chi).toBeLessThan(69.1);
    }
  });

  test.each([
    ['ABCD-efgh-1234-5678', 'abcdefgh12345678'],
    [' abcd efgh 1234 5678 ', 'abcdefgh12345678'],
    ['abcdefgh12345678', 'abcdefgh12345678'],
    ['OBCD-EFGH-ILO4-5678', '0bcdefgh11045678'],
  ])('O04: typed as %j it is %j', (typed, meant) => {
    const parsed = parseRecoveryCode(typed);
    expect(`${parsed?.selector}${parsed?.secret}`).toBe(meant);
  });
  test.each([
    '',
    'abcd-efgh-1234-567',
    'abcd-efgh-1234-56789',
    'abcd-efgh-1234-567u',
    'äbcd-efgh-1234-5678',
    'a'.repeat(100_000),
    '--------',
  ])('%#: what can not be one is none', (typed) => expect(parseRecoveryCode(typed)).toBeNull());

  test('ASVS 6.5.2: stored as password hashes with a salt each, and the codes are nowhere', async () => {
    const user = await enrol(app);
    const rows = await app.db.read({
      sql: 'SELECT selector, code_hash FROM recovery_code WHERE user_id = ?',
      params: [user.userId],
      map: (found) => found.map(([selector, hash]) => [String(selector), String(hash)] as const),
      returns: true,
    });
    expect(rows).toHaveLength(10);
    expect(new Set(rows.map(([, hash]) => hash.split('$')[4])).size).toBe(10);
    for (const [selector, hash] of rows)
      expect([selector, hash.startsWith('$argon2id$')]).toEqual([
        expect.stringMatching(/^.$/),
        true,
      ]);
  });
});

describe('using one', () => {
  test('O04, ASVS 6.5.1: once: aal2, one less is left, its owner is notified how many; the second time it is wrong', async () => {
    const address = 'codes@example.com';
    const { registration_id: id } = (
      await app.call('POST', '/register', { body: { email: address, password: PASSWORD } })
    ).body;
    const made = (
      await app.call('POST', '/register/verify', {
        body: { registration_id: id, code: (await app.emails(address))[0]?.values['code'] },
      })
    ).body;
    const { enrolIn } = await import('../support/mfa.ts');
    const { recoveryCodes } = await enrolIn(app, made.access_token);
    await app.emails(address);
    const reply = await answer(app, await challenge(app, address), {
      recovery_code: recoveryCodes[4],
    });
    expect(claimsOf(reply.body.access_token)).toMatchObject({
      acr: 'aal2',
      amr: ['pwd', 'otp', 'mfa'],
    });
    expect(await left(reply.body.access_token)).toBe(9);
    expect(
      (await app.emails(address)).map(({ template, values }) => [template, values['left']]),
    ).toEqual([['recovery_code_used', '9']]);
    expect(
      (await answer(app, await challenge(app, address), { recovery_code: recoveryCodes[4] })).body
        .code,
    ).toBe('invalid_credentials');
    expect(
      (
        await answer(app, await challenge(app, address), {
          recovery_code: recoveryCodes[5]?.toUpperCase().replaceAll('-', ' '),
        })
      ).status,
    ).toBe(200);
    expect(
      (await answer(app, await challenge(app, address), { recovery_code: recoveryCodes[5] }))
        .status,
    ).toBe(401);
  });

  test('O04: another user’s is wrong', async () => {
    const [one, other] = [await enrol(app), await enrol(app)];
    expect(
      (
        await answer(app, await challenge(app, one.username), {
          recovery_code: other.recoveryCodes[0],
        })
      ).body.code,
    ).toBe('invalid_credentials');
    expect(
      (
        await answer(app, await challenge(app, other.username), {
          recovery_code: other.recoveryCodes[0],
        })
      ).status,
    ).toBe(200);
  });

  test.each([0, 1, 2])(
    'O04: fifty at once with challenges of their own, round %i: one success',
    async () => {
      const own = await createTestApp({
        config:
          '[password]\nqueue_length = 1000\ndeadline = "10s"\n[throttle]\nattempts = 100\nmax_failures = 100\n',
      });
      const user = await enrol(own, 'racer');
      const challenges = await Promise.all(
        Array.from({ length: 50 }, () => challenge(own, 'racer')),
      );
      const replies = await Promise.all(
        challenges.map((token) => answer(own, token, { recovery_code: user.recoveryCodes[0] })),
      );
      expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(replies.filter(({ status }) => status >= 500 && status !== 503)).toEqual([]);
      await own.stop();
    },
  );

  test('it asks for nothing by itself: codes without an authenticator are no second factor', async () => {
    const user = await enrol(app);
    await app.db.write([
      {
        sql: 'DELETE FROM totp WHERE user_id = ?',
        params: [user.userId],
        map: () => [],
        returns: false,
      },
    ]);
    expect((await app.login(user.username)).body.status).toBe('authenticated');
  });
});

describe('a new set', () => {
  test('POST /me/recovery-codes: ten new ones, the old set is void, the other sessions end, the user is notified', async () => {
    const user = await enrol(app);
    const [here, there] = [
      await app.login(user.username, PASSWORD, { totp: user.code() }),
      await app.login(user.username, PASSWORD, { totp: user.code(1) }),
    ];
    const renewed = await app.call('POST', '/me/recovery-codes', { token: here.body.access_token });
    expect([renewed.status, renewed.body.recovery_codes.length]).toEqual([200, 10]);
    expect(await left(here.body.access_token)).toBe(10);
    expect((await app.call('GET', '/me', { token: there.body.access_token })).body.code).toBe(
      'session_revoked',
    );
    expect(
      (
        await answer(app, await challenge(app, user.username), {
          recovery_code: user.recoveryCodes[0],
        })
      ).status,
    ).toBe(401);
    expect(
      (
        await answer(app, await challenge(app, user.username), {
          recovery_code: renewed.body.recovery_codes[0],
        })
      ).status,
    ).toBe(200);
  });

  test('409 no_second_factor: there is nothing that they could stand in for', async () => {
    const user = await app.register();
    const reply = await app.call('POST', '/me/recovery-codes', { token: user.access });
    expect([reply.status, reply.body.code]).toEqual([409, 'no_second_factor']);
  });

  test('503 overloaded: while the queue is full nothing is made, and the old set stays good', async () => {
    const busy = await createTestApp({
      config: '[password]\nqueue_length = 1\n',
    });
    const user = await enrol(busy, 'busy');
    const { access_token: token } = (await busy.login('busy', PASSWORD, { totp: user.code() }))
      .body;
    const { status, body } = await busy.whileHashQueueIsFull(() =>
      busy.call('POST', '/me/recovery-codes', { token }),
    );
    expect([status, body.code]).toEqual([503, 'overloaded']);
    expect(
      (
        await answer(busy, await challenge(busy, 'busy'), {
          recovery_code: user.recoveryCodes[1],
        })
      ).status,
    ).toBe(200);
    await busy.stop();
  });

  test('several at once: the set in the one successful answer is valid; the others get conflict', async () => {
    const user = await enrol(app);
    const { access_token: token } = (
      await app.login(user.username, PASSWORD, { totp: user.code() })
    ).body;
    const replies = await Promise.all(
      Array.from({ length: 5 }, () => app.call('POST', '/me/recovery-codes', { token })),
    );
    const won = replies.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(replies.filter(({ body }) => body.code === 'conflict')).toHaveLength(4);
    expect(
      (
        await answer(app, await challenge(app, user.username), {
          recovery_code: won[0]?.body.recovery_codes[9],
        })
      ).status,
    ).toBe(200);
  });
});
