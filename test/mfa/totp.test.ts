/**
 * Authenticator apps: enrolling, confirming, codes and their memory, taking away (O01–O03, T8, D3,
 * RFC 6238).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { generateSync } from 'otplib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { features } from '../../src/features/index.ts';
import { base32, matchingStep, otpauthUri, stepAt } from '../../src/features/totp/code.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { answer, challenge, claimsOf, codeAt, enrol, enrolIn, wrongCode } from '../support/mfa.ts';

let app: TestApp;
let strict: TestApp;
beforeAll(async () => {
  app = await createTestApp();
  strict = await createTestApp({ config: '[totp]\nstrict = true\nissuer = "Example Shop"\n' });
});
afterAll(() => Promise.all([app.stop(), strict.stop()]));

describe('the code', () => {
  const SECRET = Buffer.from('12345678901234567890');

  // RFC 6238 appendix B has eight digits; six are the last six of them (RFC 4226 §5.3: the
  // remainder by a power of ten).
  test.each([
    [59, '94287082'],
    [1_111_111_109, '07081804'],
    [1_111_111_111, '14050471'],
    [1_234_567_890, '89005924'],
    [2_000_000_000, '69279037'],
    [20_000_000_000, '65353130'],
  ])('RFC 6238 appendix B, SHA-1: at %i it is %s', (seconds, digits) => {
    expect(
      matchingStep(SECRET, digits.slice(2), { now: seconds * 1000, window: 0, lastStep: -1 }),
    ).toBe(Math.floor(seconds / 30));
    expect(
      matchingStep(SECRET, wrongCode(digits.slice(2)), {
        now: seconds * 1000,
        window: 0,
        lastStep: -1,
      }),
    ).toBeNull();
  });

  test.each([
    ['', ''],
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foob', 'MZXW6YQ'],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI'],
  ])('RFC 4648 §10: base 32 of %j is %j', (text, encoded) =>
    expect(base32(Buffer.from(text))).toBe(encoded),
  );

  const hasOathtool = spawnSync('oathtool', ['--version']).status === 0;
  test.skipIf(!hasOathtool)(
    'oathtool, as the other side, says the same at a hundred moments',
    () => {
      for (let i = 0; i < 100; i++) {
        const seconds = 1_700_000_000 + i * 7_919_113;
        const bytes = Buffer.alloc(20, i + 1);
        const code = execFileSync(
          'oathtool',
          ['--totp', '-b', base32(bytes), '--now', `@${seconds}`],
          { encoding: 'utf8' },
        ).trim();
        expect(matchingStep(bytes, code, { now: seconds * 1000, window: 0, lastStep: -1 })).toBe(
          stepAt(seconds * 1000),
        );
      }
    },
  );

  test.each([12345, ['123456'], { code: '123456' }, null, true])(
    'T8, ASVS 15.3.5: %j is refused by its type, and nothing throws',
    async (totp) => {
      const reply = await app.call('POST', '/login/mfa', { body: { challenge_token: 'x', totp } });
      expect([reply.status, reply.body.errors[0].pointer]).toEqual([422, '/totp']);
    },
  );

  test.each([
    '',
    '1234567',
    '12345',
    '１２３４５６',
    '12345a',
    '123456\n',
    '+12345',
    '0x1234',
    '1e5000',
    '-12345',
  ])('T8: %j is a wrong code and nothing worse', async (totp) => {
    const user = await enrol(app);
    const reply = await answer(app, await challenge(app, user.username), { totp });
    expect([reply.status, reply.body.code]).toEqual([401, 'invalid_credentials']);
  });

  test('the URI that apps read: issuer and account are in it, and the app has what the service has', async () => {
    const user = await strict.register('ada.lovelace');
    const { body } = await strict.call('POST', '/me/totp', { token: user.access });
    const uri = new URL(body.otpauth_uri);
    expect([uri.protocol, uri.host, decodeURIComponent(uri.pathname)]).toEqual([
      'otpauth:',
      'totp',
      '/Example Shop:ada.lovelace',
    ]);
    expect([uri.searchParams.get('issuer'), uri.searchParams.get('secret')]).toEqual([
      'Example Shop',
      body.secret,
    ]);
    // R7: 160 bits.
    expect(body.secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(otpauthUri({ issuer: 'A & B', account: 'a@example.com', secret: 'MZXW6YTBOI' })).toMatch(
      /^otpauth:\/\/totp\/A%20%26%20B:a%40example\.com\?/,
    );
  });
});

describe('enrolling', () => {
  test('O03: until it is confirmed it does nothing, and its seed is not shown again', async () => {
    const user = await app.register();
    const begun = await app.call('POST', '/me/totp', { token: user.access });
    expect((await app.login(user.username)).body.status).toBe('authenticated');
    const factors = await app.call('GET', '/me/factors', { token: user.access });
    expect(factors.body).toMatchObject({ totp: null, recovery_codes_left: 0 });
    expect(JSON.stringify(factors.body)).not.toContain(begun.body.secret);
    expect((await app.call('GET', '/me', { token: user.access })).body.mfa_enabled).toBe(false);
    expect(
      (
        await app.login(user.username, PASSWORD, {
          totp: codeAt(begun.body.secret, app.clock.now()),
        })
      ).body.status,
    ).toBe('authenticated');
  });

  test('a wrong code confirms nothing: 422 invalid_code; a right one gives ten recovery codes, once', async () => {
    const user = await app.register();
    const none = await app.call('POST', '/me/totp/confirm', {
      token: user.access,
      body: { code: '000000' },
    });
    expect([none.status, none.body.code]).toEqual([422, 'invalid_code']);
    const { secret } = (await app.call('POST', '/me/totp', { token: user.access })).body;
    const right = codeAt(secret, app.clock.now());
    const wrong = await app.call('POST', '/me/totp/confirm', {
      token: user.access,
      body: {
        code: wrongCode(
          right,
          codeAt(secret, app.clock.now() + 30_000),
          codeAt(secret, app.clock.now() - 30_000),
        ),
      },
    });
    expect([wrong.status, wrong.body.code]).toEqual([422, 'invalid_code']);
    const confirmed = await app.call('POST', '/me/totp/confirm', {
      token: user.access,
      body: { code: `${right.slice(0, 3)} ${right.slice(3)}` },
    });
    expect(confirmed.status).toBe(200);
    expect(new Set(confirmed.body.recovery_codes).size).toBe(10);
    const again = await app.call('POST', '/me/totp/confirm', {
      token: user.access,
      body: { code: right },
    });
    expect(again.body.code).toBe('invalid_code');
    const me = await app.call('GET', '/me', { token: user.access });
    expect(me.body.mfa_enabled).toBe(true);
  });

  test('an enrolment that was left lying ends within the hour', async () => {
    const user = await app.register();
    const { secret } = (await app.call('POST', '/me/totp', { token: user.access })).body;
    app.clock.advance(3_600_000);
    const fresh = (await app.login(user.username)).body.access_token;
    const late = await app.call('POST', '/me/totp/confirm', {
      token: fresh,
      body: { code: codeAt(secret, app.clock.now()) },
    });
    expect(late.body.code).toBe('invalid_code');
  });

  test('a new authenticator takes the place of the old one when it is confirmed, and not before; the old seed is dead then', async () => {
    const user = await enrol(app);
    const signedIn = await answer(app, await challenge(app, user.username), { totp: user.code() });
    const access = signedIn.body.access_token;
    app.clock.advance(30_000);
    const { secret } = (await app.call('POST', '/me/totp', { token: access })).body;
    expect(
      (
        await answer(app, await challenge(app, user.username), {
          totp: codeAt(secret, app.clock.now()),
        })
      ).status,
    ).toBe(401);
    expect(
      (await answer(app, await challenge(app, user.username), { totp: user.code() })).status,
    ).toBe(200);
    const confirmed = await app.call('POST', '/me/totp/confirm', {
      token: access,
      body: { code: codeAt(secret, app.clock.now()) },
    });
    expect(confirmed.status).toBe(200);
    app.clock.advance(60_000);
    expect(
      (await answer(app, await challenge(app, user.username), { totp: user.code() })).status,
    ).toBe(401);
    expect(
      (
        await answer(app, await challenge(app, user.username), {
          totp: codeAt(secret, app.clock.now()),
        })
      ).status,
    ).toBe(200);
    // O04: the old set of recovery codes went with it.
    expect(
      (
        await answer(app, await challenge(app, user.username), {
          recovery_code: user.recoveryCodes[0],
        })
      ).status,
    ).toBe(401);
  });

  test('guesses at a confirmation are counted: 429', async () => {
    const user = await app.register();
    await app.call('POST', '/me/totp', { token: user.access });
    const codes: string[] = [];
    for (let i = 0; i < 15; i++)
      codes.push(
        (
          await app.call('POST', '/me/totp/confirm', {
            token: user.access,
            body: { code: '12345' },
          })
        ).body.code,
      );
    expect(codes.filter((code) => code === 'invalid_code').length).toBeLessThanOrEqual(10);
    expect(codes.at(-1)).toBe('too_many_attempts');
  });

  test('fifty confirmations at once: one gives codes, and those are the ones that are good', async () => {
    const user = await app.register();
    const { secret } = (await app.call('POST', '/me/totp', { token: user.access })).body;
    const code = codeAt(secret, app.clock.now());
    const replies = await Promise.all(
      Array.from({ length: 9 }, () =>
        app.call('POST', '/me/totp/confirm', { token: user.access, body: { code } }),
      ),
    );
    const won = replies.filter(({ status }) => status === 200);
    expect(won.length).toBe(1);
    expect(
      replies
        .filter(({ status }) => status !== 200)
        .every(({ body }) =>
          ['conflict', 'invalid_code', 'too_many_attempts', 'overloaded'].includes(body.code),
        ),
    ).toBe(true);
    app.clock.advance(60_000);
    expect(
      (
        await answer(app, await challenge(app, user.username), {
          recovery_code: won[0]?.body.recovery_codes[3],
        })
      ).status,
    ).toBe(200);
  });

  test('ASVS 11.2.5, 11.3.2, 6.5.3: the seed lies sealed, bound to its user, and moves to a new key when it is used', async () => {
    const old = randomBytes(32);
    const first = await createTestApp({ keyEncryptionKey: old });
    const user = await enrol(first, 'sealed');
    const rows = () =>
      first.db.read({
        sql: 'SELECT secret_sealed FROM totp',
        params: [],
        map: (found) => found.map((row) => String(row[0])),
        returns: true,
      });
    const [before] = await rows();
    expect(before).toMatch(/^v1\./);
    expect(before).not.toContain(user.secret);
    const other = await enrol(first, 'other');
    await first.db.write([
      {
        sql: 'UPDATE totp SET secret_sealed = ? WHERE user_id = ?',
        params: [before ?? '', other.userId],
        map: () => [],
        returns: false,
      },
    ]);
    // A copied ciphertext doesn't open in another row: refused like a wrong code, and an error in
    // the log.
    const copied = await answer(first, await challenge(first, 'other'), { totp: user.code() });
    expect([copied.status, copied.body.code]).toEqual([401, 'invalid_credentials']);
    expect(first.log.filter(({ event }) => event === 'factor.unreadable')).toEqual([
      expect.objectContaining({ level: 'error', factor: 'totp', 'user.id': other.userId }),
    ]);
    const env = { POSTERN_SECRETS_PREVIOUS_KEY_ENCRYPTION_KEYS: old.toString('base64url') };
    const second = await createTestApp({
      directory: first.directory,
      clock: first.clock,
      keyEncryptionKey: randomBytes(32),
      env,
    });
    expect(
      (await answer(second, await challenge(second, 'sealed'), { totp: user.code() })).status,
    ).toBe(200);
    expect((await rows()).filter((sealed) => sealed === before)).toHaveLength(1);
    expect((await rows()).some((sealed) => sealed.split('.')[1] !== before?.split('.')[1])).toBe(
      true,
    );
    await second.stop();
    await first.stop();
  });
});

describe('its memory', () => {
  test('O01: one code, one success: serially, at once by fifty, and never again after a newer one', async () => {
    const user = await enrol(app);
    const code = user.code();
    expect((await answer(app, await challenge(app, user.username), { totp: code })).status).toBe(
      200,
    );
    expect((await answer(app, await challenge(app, user.username), { totp: code })).status).toBe(
      401,
    );
    app.clock.advance(30_000);
    expect(
      (await answer(app, await challenge(app, user.username), { totp: user.code(1) })).status,
    ).toBe(200);
    for (const steps of [0, -1, 1])
      expect(
        (await answer(app, await challenge(app, user.username), { totp: user.code(steps) })).status,
      ).toBe(401);
  });

  test.each([0, 1, 2, 3])(
    'O01: fifty at once with challenges of their own, round %i: one success',
    async () => {
      const own = await createTestApp({
        config: '[throttle]\nattempts = 100\nmax_failures = 100\n[password]\nqueue_length = 1000\n',
      });
      const user = await enrol(own, 'racer');
      const challenges = await Promise.all(
        Array.from({ length: 50 }, () => challenge(own, 'racer')),
      );
      const replies = await Promise.all(
        challenges.map((token) => answer(own, token, { totp: user.code() })),
      );
      expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(replies.filter(({ status }) => status === 401)).toHaveLength(49);
      await own.stop();
    },
  );

  test.each([
    [-2, false],
    [-1, true],
    [0, true],
    [1, true],
    [2, false],
  ])('O02, D3: a code of the step %i away: %s', async (steps, isTaken) => {
    const user = await enrol(app);
    app.clock.advance(90_000);
    expect(
      (await answer(app, await challenge(app, user.username), { totp: user.code(steps) })).status,
    ).toBe(isTaken ? 200 : 401);
  });

  test.each([-1, 0, 1])('O02, D3: strict takes the present step alone: %i', async (steps) => {
    const user = await enrol(strict);
    strict.clock.advance(90_000);
    expect(
      (await answer(strict, await challenge(strict, user.username), { totp: user.code(steps) }))
        .status,
    ).toBe(steps === 0 ? 200 : 401);
  });

  test('O02, ASVS 6.5.8: what a client says of the time changes nothing', async () => {
    const user = await enrol(app);
    app.clock.advance(300_000);
    const token = await challenge(app, user.username);
    const old = user.code(-5);
    const headers = { date: new Date(app.clock.now() - 150_000).toUTCString() };
    expect(
      (
        await app.call('POST', '/login/mfa', {
          body: { challenge_token: token, totp: old },
          headers,
        })
      ).status,
    ).toBe(401);
    const unknown = await app.call('POST', '/login/mfa', {
      body: { challenge_token: token, totp: old, time: 1 },
    });
    expect([unknown.status, unknown.body.errors[0].pointer]).toEqual([422, '/time']);
  });

  test('D02: a clock that is set back takes no used code again', async () => {
    const user = await enrol(app);
    const code = user.code();
    expect((await answer(app, await challenge(app, user.username), { totp: code })).status).toBe(
      200,
    );
    app.clock.advance(-45_000);
    expect((await answer(app, await challenge(app, user.username), { totp: code })).status).toBe(
      401,
    );
    app.clock.advance(45_000);
  });
});

describe('taking it away', () => {
  test('DELETE /me/totp: sign-ins ask no more, recovery codes are gone, the level sinks at once and at the refresh; twice is not_found', async () => {
    const user = await enrol(app);
    const { body } = await answer(app, await challenge(app, user.username), { totp: user.code() });
    expect(claimsOf(body.access_token)).toMatchObject({ acr: 'aal2', amr: ['pwd', 'otp', 'mfa'] });
    expect((await app.call('DELETE', '/me/totp', { token: body.access_token })).status).toBe(204);
    const again = await app.call('DELETE', '/me/totp', { token: body.access_token });
    expect([again.status, again.body.code]).toEqual([404, 'not_found']);
    const refreshed = await app.call('POST', '/refresh', {
      body: { refresh_token: body.refresh_token },
    });
    expect(claimsOf(refreshed.body.access_token)).toMatchObject({
      acr: 'aal1',
      amr: ['pwd'],
      auth_time: claimsOf(body.access_token)['auth_time'],
    });
    expect((await app.login(user.username)).body.status).toBe('authenticated');
    expect((await app.call('GET', '/me/factors', { token: body.access_token })).body).toMatchObject(
      { totp: null, recovery_codes_left: 0 },
    );
  });

  test('nine removals at once: one of them is it, the others find nothing', async () => {
    const user = await enrol(app);
    const { body } = await answer(app, await challenge(app, user.username), { totp: user.code() });
    const replies = await Promise.all(
      Array.from({ length: 9 }, () => app.call('DELETE', '/me/totp', { token: body.access_token })),
    );
    expect(replies.filter(({ status }) => status === 204)).toHaveLength(1);
    expect(
      replies
        .filter(({ status }) => status !== 204)
        .every((reply) => ['not_found', 'conflict'].includes(reply.body.code)),
    ).toBe(true);
  });

  test('off: none of its paths is there, its member is unknown, and those who have one sign in with the password', async () => {
    const user = await enrol(app, 'switched-off');
    const off = await createTestApp({
      directory: app.directory,
      clock: app.clock,
      config: '[totp]\nenabled = false\n[passkeys]\nenabled = false\n',
      // No further second factor, whichever the service has.
      features: features.filter(
        ({ name, secondFactor }) => !secondFactor || ['totp', 'passkey'].includes(name),
      ),
    });
    const signedIn = await off.login('switched-off');
    expect(signedIn.body.status).toBe('authenticated');
    for (const [method, path] of [
      ['POST', '/me/totp'],
      ['POST', '/me/totp/confirm'],
      ['DELETE', '/me/totp'],
      ['POST', '/login/mfa'],
      ['GET', '/me/factors'],
      ['POST', '/me/recovery-codes'],
    ] as const) {
      expect([
        path,
        (await off.call(method, path, { token: signedIn.body.access_token })).status,
      ]).toEqual([path, 404]);
    }
    const unknown = await off.login('switched-off', PASSWORD, { totp: user.code() });
    expect([unknown.status, unknown.body.errors[0]]).toEqual([
      422,
      expect.objectContaining({ pointer: '/totp', code: 'unknown_member' }),
    ]);
    await off.stop();
  });
});

test('otplib, asked as it is, has no memory: the trap that the stored step answers (T8)', async () => {
  const { secret } = await enrolIn(app, (await app.register()).access);
  const now = Math.floor(app.clock.now() / 1000);
  const code = generateSync({ secret, epoch: now });
  const raw = Buffer.from('12345678901234567890');
  expect(
    matchingStep(raw, generateSync({ secret: raw, epoch: now }), {
      now: now * 1000,
      window: 1,
      lastStep: -1,
    }),
  ).toBe(stepAt(now * 1000));
  expect(
    matchingStep(raw, generateSync({ secret: raw, epoch: now }), {
      now: now * 1000,
      window: 1,
      lastStep: stepAt(now * 1000),
    }),
  ).toBeNull();
  expect(code).toMatch(/^\d{6}$/);
});
