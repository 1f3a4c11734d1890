/**
 * The second step of a sign-in: what a challenge is good for, how often, and what it counts (O06,
 * O08, L02–L04, R03, G9).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';
import { answer, challenge, claimsOf, enrol, enrolIn, wrongCode } from '../support/mfa.ts';

let app: TestApp;
/** Room for many sign-ins at once, and limits as they come. */
let wide: TestApp;
beforeAll(async () => {
  app = await createTestApp();
  wide = await createTestApp({ config: '[password]\nqueue_length = 1000\ndeadline = "10s"\n' });
});
afterAll(() => Promise.all([app.stop(), wide.stop()]));

const WRONG = { totp: 'wrong1' };
const evaluated = (replies: readonly Reply[]): number =>
  replies.filter(({ body }) => body.code === 'invalid_credentials').length;

describe('what it gives', () => {
  test('password, then code: aal2, both methods, a new session; the challenge opened nothing before', async () => {
    const user = await enrol(app);
    const first = await app.login(user.username);
    expect(first.body).toEqual({
      status: 'mfa_required',
      challenge_token: expect.any(String),
      factors: ['totp', 'recovery_code'],
      expires_in: 300,
    });
    const { status, body } = await answer(app, first.body.challenge_token, { totp: user.code() });
    expect([status, body.status]).toEqual([200, 'authenticated']);
    expect(claimsOf(body.access_token)).toMatchObject({
      sub: user.userId,
      amr: ['pwd', 'otp', 'mfa'],
      acr: 'aal2',
      auth_time: Math.floor(app.clock.now() / 1000),
    });
    const { sessions } = (await app.call('GET', '/me/sessions', { token: body.access_token })).body;
    expect(sessions.find(({ current }: { current: boolean }) => current).amr).toEqual([
      'pwd',
      'otp',
      'mfa',
    ]);
    const refreshed = await app.call('POST', '/refresh', {
      body: { refresh_token: body.refresh_token },
    });
    expect(claimsOf(refreshed.body.access_token)).toMatchObject({
      amr: ['pwd', 'otp', 'mfa'],
      acr: 'aal2',
      auth_time: claimsOf(body.access_token)['auth_time'],
    });
  });

  test('the code in the body of /login spares the second request; a wrong one is the one answer for all that is wrong', async () => {
    const user = await enrol(app);
    const right = await app.login(user.username, PASSWORD, { totp: user.code() });
    expect([right.status, right.body.status, claimsOf(right.body.access_token)['acr']]).toEqual([
      200,
      'authenticated',
      'aal2',
    ]);
    const [wrongTotp, spent, wrongPassword] = [
      await app.login(user.username, PASSWORD, WRONG),
      await app.login(user.username, PASSWORD, { totp: user.code() }),
      await app.login(user.username, 'wrong horse battery', { totp: user.code(1) }),
    ];
    for (const reply of [wrongTotp, spent, wrongPassword])
      expect([reply.status, { ...reply.body, request_id: '' }]).toEqual([
        401,
        { ...wrongPassword?.body, request_id: '' },
      ]);
    // What the wrong password came with was not looked at.
    expect((await app.login(user.username, PASSWORD, { totp: user.code(1) })).status).toBe(200);
  });

  test('with a cookie: the refresh token is in it, and only once the second factor was shown', async () => {
    const own = await createTestApp({
      config: '[cookies]\nenabled = true\nallowed_origins = ["https://web.example.com"]\n',
    });
    const user = await enrol(own, 'cookie');
    const headers = { origin: 'https://web.example.com' };
    const first = await own.call('POST', '/login', {
      body: { username: 'cookie', password: PASSWORD, cookie: true },
      headers,
    });
    expect(first.headers.getSetCookie()).toEqual([]);
    const refused = await own.call('POST', '/login/mfa', {
      body: { challenge_token: first.body.challenge_token, totp: user.code(), cookie: true },
    });
    expect([refused.status, refused.body.code]).toEqual([403, 'origin_not_allowed']);
    const second = await own.call('POST', '/login/mfa', {
      body: { challenge_token: first.body.challenge_token, totp: user.code(), cookie: true },
      headers,
    });
    expect([second.status, second.body.refresh_token]).toEqual([200, undefined]);
    expect(second.headers.getSetCookie().some((line) => line.startsWith('__Host-refresh='))).toBe(
      true,
    );
    await own.stop();
  });

  test.each([
    [{}, '', 'required'],
    [{ totp: '123456', recovery_code: 'x' }, '', 'too_many'],
    [{ totp: '123456', unknown: 1 }, '/unknown', 'unknown_member'],
  ])('invalid_request: %j', async (shown, pointer, code) => {
    const user = await enrol(app);
    const reply = await answer(app, await challenge(app, user.username), shown);
    expect([reply.status, reply.body.errors]).toEqual([
      422,
      [expect.objectContaining({ pointer, code })],
    ]);
  });
});

describe('a challenge', () => {
  test('O08: one success: the second time it is invalid_token, whatever is shown', async () => {
    const user = await enrol(app);
    const token = await challenge(app, user.username);
    expect((await answer(app, token, { totp: user.code() })).status).toBe(200);
    app.clock.advance(30_000);
    for (const shown of [{ totp: user.code() }, { recovery_code: user.recoveryCodes[0] }, WRONG])
      expect((await answer(app, token, shown)).body.code).toBe('invalid_token');
    // What was shown to a dead challenge was not spent.
    expect(
      (
        await answer(app, await challenge(app, user.username), {
          recovery_code: user.recoveryCodes[0],
        })
      ).status,
    ).toBe(200);
  });

  test.each([0, 1, 2, 3])(
    'O08: fifty at once, half by code and half by recovery codes, round %i: one session',
    async () => {
      const own = await createTestApp({
        config: '[password]\nqueue_length = 1000\ndeadline = "10s"\n',
      });
      const user = await enrol(own, 'racer');
      const token = await challenge(own, 'racer');
      const replies = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          answer(
            own,
            token,
            i % 2 === 0 ? { totp: user.code() } : { recovery_code: user.recoveryCodes[i % 10] },
          ),
        ),
      );
      expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(replies.filter(({ status }) => status >= 500)).toEqual([]);
      await own.stop();
    },
  );

  test('says that the password was right, and when to sign in again', async () => {
    const user = await enrol(app);
    const token = await challenge(app, user.username);
    const details: string[] = [];
    for (let i = 0; i < 6; i++) details.push((await answer(app, token, WRONG)).body.detail);
    expect(details.slice(0, 4)).toEqual(
      Array(4).fill(
        'The second factor is wrong, or was used already. The password was right. Try again.',
      ),
    );
    expect(details[4]).toMatch(/The password was right\. That was the last try.*sign in again\./);
    expect(details[5]).toMatch(/^This sign-in is over: .* Sign in again\.$/);
    // Before a right password nothing is said of it.
    const blind = await app.login(user.username, PASSWORD, WRONG);
    expect(blind.body.detail).toBe('The name or the password is wrong.');
  });

  test('O08: dead after five minutes', async () => {
    const user = await enrol(app);
    const token = await challenge(app, user.username);
    app.clock.advance(299_000);
    expect((await answer(app, token, WRONG)).body.code).toBe('invalid_credentials');
    app.clock.advance(1_000);
    expect((await answer(app, token, { totp: user.code() })).body.code).toBe('invalid_token');
  });

  test.each([
    [
      'a changed password',
      async (access: string) =>
        app.call('POST', '/me/password', {
          token: access,
          body: { current_password: PASSWORD, new_password: 'another horse battery staple' },
        }),
    ],
    [
      'new recovery codes',
      async (access: string) => app.call('POST', '/me/recovery-codes', { token: access }),
    ],
    [
      'a removed factor',
      async (access: string) => app.call('DELETE', '/me/totp', { token: access }),
    ],
  ])('O08, G9: dead after %s', async (_what, change) => {
    const user = await enrol(app);
    const signedIn = await app.login(user.username, PASSWORD, { totp: user.code() });
    const token = await challenge(app, user.username);
    expect((await change(signedIn.body.access_token)).status).toBeLessThan(300);
    expect((await answer(app, token, { totp: user.code(1) })).body.code).toBe('invalid_token');
  });

  test('O08: dead after the account was disabled, and after it was enabled again', async () => {
    const user = await enrol(app);
    const token = await challenge(app, user.username);
    await app.kernel.accountState.disable(operator, user.userId);
    expect((await answer(app, token, { totp: user.code() })).body.code).toBe('invalid_token');
    expect((await app.login(user.username, PASSWORD, { totp: user.code() })).body.code).toBe(
      'account_disabled',
    );
  });

  test('O08: a token of another kind is none, and a challenge is none elsewhere', async () => {
    const user = await enrol(app);
    const token = await challenge(app, user.username);
    const signedIn = (await app.login(user.username, PASSWORD, { totp: user.code() })).body;
    for (const other of [
      signedIn.access_token,
      signedIn.refresh_token,
      signedIn.device_token,
      'x',
      `${token}x`,
      token.slice(0, -4),
    ]) {
      expect((await answer(app, other, { totp: user.code(1) })).body.code).toBe('invalid_token');
    }
    expect((await app.call('GET', '/me', { token })).status).toBe(401);
    expect((await app.call('POST', '/refresh', { body: { refresh_token: token } })).status).toBe(
      401,
    );
    expect(
      (await app.call('POST', '/reauthenticate', { token, body: { totp: user.code(1) } })).status,
    ).toBe(401);
  });

  test('O08, ASVS 2.3.1: the second step without the first is nothing: a code by itself opens no route', async () => {
    const user = await enrol(app);
    const reply = await app.call('POST', '/login/mfa', { body: { totp: user.code() } });
    expect([reply.status, reply.body.errors[0].pointer]).toEqual([422, '/challenge_token']);
    expect(
      (await app.login(user.username, 'wrong horse battery', { totp: user.code() })).status,
    ).toBe(401);
  });
});

describe('guesses', () => {
  test('O06, L03: a thousand at one challenge over fifty connections: five are looked at', async () => {
    const user = await enrol(wide);
    const token = await challenge(wide, user.username);
    const replies: Reply[] = [];
    for (let round = 0; round < 20; round++)
      replies.push(
        ...(await Promise.all(Array.from({ length: 50 }, () => answer(wide, token, WRONG)))),
      );
    expect(replies).toHaveLength(1_000);
    expect(evaluated(replies)).toBe(5);
    expect((await answer(wide, token, { totp: user.code() })).body.code).toBe('invalid_token');
  });

  test('O06, ASVS 6.6.3: two thousand over many challenges: none past the cap of the account, and the right one is refused then too', async () => {
    const user = await enrol(wide);
    const replies: Reply[] = [];
    const tokens: string[] = [];
    for (let i = 0; i < 40; i++) tokens.push(await challenge(wide, user.username));
    for (let round = 0; round < 40; round++) {
      // Five at each, and all of them at once.
      const guesses = tokens.flatMap((token) => [token]).slice(0, 50);
      replies.push(
        ...(await Promise.all(
          guesses.concat(tokens.slice(0, 10)).map((token) => answer(wide, token, WRONG)),
        )),
      );
    }
    expect(replies).toHaveLength(2_000);
    expect(evaluated(replies)).toBeLessThanOrEqual(wide.config.throttle.attempts);
    const last = await answer(wide, await challenge(wide, user.username), { totp: user.code() });
    expect([last.status, last.body.code]).toEqual([429, 'too_many_attempts']);
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('N5: over weeks of waiting the account takes a hundred guesses, then none until an operator opens it', async () => {
    const own = await createTestApp();
    const user = await enrol(own, 'patient');
    let looked = 0;
    for (let i = 0; i < 160; i++) {
      const reply = await answer(own, await challenge(own, 'patient'), WRONG);
      if (reply.body.code === 'invalid_credentials') looked += 1;
      own.clock.advance(3_600_000);
    }
    expect(looked).toBe(100);
    expect(
      (await answer(own, await challenge(own, 'patient'), { totp: user.code() })).body.code,
    ).toBe('too_many_attempts');
    await own.kernel.accountState.unlock(operator, user.userId);
    expect((await answer(own, await challenge(own, 'patient'), { totp: user.code() })).status).toBe(
      200,
    );
    await own.stop();
  });

  test('L04: a right password sets nothing of it back, nor does a new challenge, a new password or a reset; a right code does', async () => {
    const user = await enrol(app);
    const { attempts } = app.config.throttle;
    for (let i = 0; i < attempts; i++)
      expect((await answer(app, await challenge(app, user.username), WRONG)).body.code).toBe(
        'invalid_credentials',
      );
    for (let i = 0; i < 3; i++)
      expect(
        (await answer(app, await challenge(app, user.username), { totp: user.code() })).body.code,
      ).toBe('too_many_attempts');
    app.clock.advance(app.config.throttle.window + app.config.throttle.max_wait);
    expect(
      (await answer(app, await challenge(app, user.username), { totp: user.code() })).status,
    ).toBe(200);
    app.clock.advance(30_000);
    for (let i = 0; i < attempts; i++)
      expect((await answer(app, await challenge(app, user.username), WRONG)).body.code).toBe(
        'invalid_credentials',
      );
  });

  test('L02: somebody who knows the password fills the account’s count; the owner’s device has one of its own', async () => {
    const user = await enrol(app);
    const device = (await app.login(user.username, PASSWORD, { totp: user.code() })).body
      .device_token;
    for (let i = 0; i < 12; i++) await answer(app, await challenge(app, user.username), WRONG);
    expect(
      (await answer(app, await challenge(app, user.username), { totp: user.code(1) })).body.code,
    ).toBe('too_many_attempts');
    expect(
      (
        await answer(app, await challenge(app, user.username, { device_token: device }), {
          totp: user.code(1),
        })
      ).status,
    ).toBe(200);
  });

  test('ASVS 6.3.5: the owner hears once of five wrong ones after the right password, however many come at a time', async () => {
    const address = 'half.done@example.com';
    const { registration_id: id } = (
      await wide.call('POST', '/register', { body: { email: address, password: PASSWORD } })
    ).body;
    const made = (
      await wide.call('POST', '/register/verify', {
        body: { registration_id: id, code: (await wide.emails(address))[0]?.values['code'] },
      })
    ).body;
    const { code } = await enrolIn(wide, made.access_token);
    await wide.emails(address);
    const tokens = [await challenge(wide, address), await challenge(wide, address)];
    await Promise.all(
      tokens.flatMap((token) => Array.from({ length: 4 }, () => answer(wide, token, WRONG))),
    );
    expect(
      (await wide.emails(address)).map(({ template, values }) => [template, values['failures']]),
    ).toEqual([['second_factor_failed', '5']]);
    expect((await answer(wide, await challenge(wide, address), { totp: code() })).status).toBe(200);
    expect(await wide.emails(address)).toEqual([]);
  });

  test('what is shown has to be due: the password again is no second factor, and costs no try', async () => {
    const user = await enrol(app);
    const token = await challenge(app, user.username);
    for (let i = 0; i < 7; i++) {
      const reply = await answer(app, token, { password: PASSWORD });
      expect([reply.status, reply.body.errors[0]]).toEqual([
        422,
        {
          pointer: '/password',
          code: 'not_due',
          detail: 'This sign-in needs totp or recovery_code next.',
        },
      ]);
    }
    expect((await answer(app, token, { totp: user.code() })).status).toBe(200);
  });

  test('too busy is no guess: overloaded takes neither a try of the challenge nor one of the account', async () => {
    const busy = await createTestApp({
      config: '[password]\nqueue_length = 1\n',
    });
    const user = await enrol(busy, 'busy');
    const token = await challenge(busy, 'busy');
    await busy.whileHashQueueIsFull(async () => {
      // More than the tries of the challenge and of the account together.
      for (let i = 0; i < 20; i++) {
        const { body } = await answer(busy, token, { recovery_code: 'zzzz-zzzz-zzzz-zzzz' });
        expect(body.code).toBe('overloaded');
      }
    });
    expect((await answer(busy, token, { totp: user.code() })).status).toBe(200);
    await busy.stop();
  });
});

describe('a reset password', () => {
  test('R03, ASVS 6.4.3: ends pending sign-ins and sessions, signs nobody in, and the second factor is asked for as before', async () => {
    const address = 'reset.mfa@example.com';
    const { registration_id: id } = (
      await app.call('POST', '/register', { body: { email: address, password: PASSWORD } })
    ).body;
    const code = (await app.emails(address))[0]?.values['code'];
    const made = (
      await app.call('POST', '/register/verify', { body: { registration_id: id, code } })
    ).body;
    const begun = (await app.call('POST', '/me/totp', { token: made.access_token })).body;
    const { codeAt } = await import('../support/mfa.ts');
    await app.call('POST', '/me/totp/confirm', {
      token: made.access_token,
      body: { code: codeAt(begun.secret, app.clock.now()) },
    });
    app.clock.advance(60_000);
    const pending = await challenge(app, address);
    await app.call('POST', '/password/forgot', { body: { username: address } });
    const token = (await app.emails(address)).find(({ template }) => template === 'reset_password')
      ?.values['token'];
    const done = await app.call('POST', '/password/reset', {
      body: { token, password: 'another horse battery staple' },
    });
    expect([done.status, done.body]).toEqual([204, '']);
    expect(
      (await answer(app, pending, { totp: codeAt(begun.secret, app.clock.now()) })).body.code,
    ).toBe('invalid_token');
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: made.refresh_token } })).status,
    ).toBe(401);
    const next = await app.login(address, 'another horse battery staple');
    expect(next.body.status).toBe('mfa_required');
    expect(
      (
        await answer(app, next.body.challenge_token, {
          totp: codeAt(begun.secret, app.clock.now()),
        })
      ).status,
    ).toBe(200);
  });
});

test('E01: a wrong password for somebody with a second factor is answered as for anybody', async () => {
  const user = await enrol(app);
  const [known, unknown] = [
    await app.login(user.username, 'wrong horse battery'),
    await app.login('nobody-at-all', 'wrong horse battery'),
  ];
  const shape = ({ status, headers, body }: Reply) => [
    status,
    [...headers.keys()].sort(),
    { ...body, request_id: '' },
  ];
  expect(shape(known)).toEqual(shape(unknown));
});

test('what is logged of it: the challenge, the failure, the success with its methods; no code, no token', async () => {
  const user = await enrol(app);
  const from = app.log.length;
  const token = await challenge(app, user.username);
  await answer(app, token, { totp: wrongCode(user.code(), user.code(1), user.code(-1)) });
  const code = user.code();
  await answer(app, token, { totp: code });
  const lines = app.log.slice(from);
  // The audit log is sealed beside the requests, at a moment of its own.
  const beside = new Set<unknown>(['http.request', 'audit.sealed']);
  expect(lines.map(({ event }) => event).filter((event) => !beside.has(event))).toEqual([
    'sign_in.challenged',
    'second_factor.failed',
    'sign_in.succeeded',
  ]);
  expect(lines.find(({ event }) => event === 'sign_in.succeeded')).toMatchObject({
    'user.id': user.userId,
    factor: 'totp',
    amr: ['pwd', 'otp', 'mfa'],
  });
  expect(JSON.stringify(lines)).not.toContain(token.split('.').at(-1) ?? token);
  expect(lines.some((line) => Object.values(line).includes(code))).toBe(false);
});
