/**
 * Ways round a second factor at POST /login/mfa, /reauthenticate and /refresh that were found and
 * shut: a forced change, an aged password, a grace that never ends, counts that start anew.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addPasskey, signIn, signInOptions } from '../passkey/story.ts';
import { PASSWORD, createTestApp, testClock, operator, tidy } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { assert } from '../support/authenticator.ts';
import { answer, challenge, claimsOf, codeAt, enrol, wrongCode } from '../support/mfa.ts';
import type { Enrolled } from '../support/mfa.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const NEW = 'a wholly different staple horse';
const WRONG = 'wrong horse battery staple';

const column = (app: TestApp, sql: string, ...params: string[]): Promise<unknown[]> =>
  app.db.read({ sql, params, map: (rows) => rows.map(([value]) => value), returns: true });
const wrong = (user: Enrolled): string => wrongCode(user.code(-1), user.code(), user.code(1));
const purge = (app: TestApp): Promise<void> => tidy(app);

describe('a password that has to be changed', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ config: '[password]\nmax_age = "30d"\n' });
  });
  afterAll(() => app.stop());

  test('O09: by a key that verified nobody it is not changed: the password is asked for first, and only both get the reset_token', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user, { uv: false });
    await app.kernel.accountState.expirePassword(operator, user.userId);
    const first = await signIn(app, made, { uv: false });
    expect([first.status, first.body.status, first.body.factors, first.body.reset_token]).toEqual([
      200,
      'mfa_required',
      ['password'],
      undefined,
    ]);
    const both = await answer(app, first.body.challenge_token, { password: PASSWORD });
    expect([both.status, both.body.code, typeof both.body.reset_token]).toEqual([
      403,
      'password_change_required',
      'string',
    ]);
    expect(
      (
        await app.call('POST', '/password/reset', {
          body: { token: both.body.reset_token, password: NEW },
        })
      ).status,
    ).toBe(204);
    // The challenge that brought it is spent.
    expect((await answer(app, first.body.challenge_token, { password: NEW })).body.code).toBe(
      'invalid_token',
    );
  });

  test('ASVS 6.4.3: nor by the password alone of somebody with an app: the code is due before, and the owner’s sessions live', async () => {
    const user = await enrol(app);
    app.clock.advance(29 * DAY);
    const live = (await app.login(user.username, PASSWORD, { totp: user.code() })).body;
    app.clock.advance(DAY + 3_600_000);
    const first = await app.login(user.username);
    expect([first.body.status, first.body.reset_token]).toEqual(['mfa_required', undefined]);
    const both = await answer(app, first.body.challenge_token, { totp: user.code() });
    expect([both.status, both.body.code]).toEqual([403, 'password_change_required']);
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: live.refresh_token } })).status,
    ).toBe(200);
    const inOne = await app.login(user.username, PASSWORD, { totp: user.code(1) });
    expect([inOne.status, inOne.body.code]).toEqual([403, 'password_change_required']);
  });

  test('one that is too old is none after a key either', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user, { uv: false });
    app.clock.advance(31 * DAY);
    const first = await signIn(app, made, { uv: false });
    expect((await answer(app, first.body.challenge_token, { password: PASSWORD })).body.code).toBe(
      'password_change_required',
    );
  });
});

describe('mfa.required = "all"', () => {
  const config = '[mfa]\nrequired = "all"\ngrace = "10m"\n';

  test('past the grace POST /reauthenticate prolongs nothing: 403 mfa_enrolment_required', async () => {
    const app = await createTestApp({ config });
    const user = await app.register();
    app.clock.advance(11 * MINUTE);
    const again = await app.call('POST', '/reauthenticate', {
      token: user.access,
      body: { password: PASSWORD },
    });
    expect([again.status, again.body.code]).toEqual([403, 'mfa_enrolment_required']);
    await app.stop();
  });

  test('a refused refresh spends no token, and a right password past the grace is no failure', async () => {
    const app = await createTestApp({ config });
    const user = await app.register();
    app.clock.advance(11 * MINUTE);
    for (let i = 0; i < 3; i++) {
      expect(
        (await app.call('POST', '/refresh', { body: { refresh_token: user.refresh } })).body.code,
      ).toBe('mfa_enrolment_required');
      app.clock.advance(2 * MINUTE);
    }
    for (let i = 0; i < 12; i++)
      expect((await app.login(user.username)).body.code).toBe('mfa_enrolment_required');
    await app.stop();
  });

  test('for a session from before the policy the time begins with its first refresh, and ends', async () => {
    const [directory, clock] = [mkdtempSync(join(tmpdir(), 'postern-test-')), testClock()];
    const before = await createTestApp({ directory, clock });
    const user = await before.register();
    await before.stop();
    const app = await createTestApp({ directory, clock, config });
    const first = await app.call('POST', '/refresh', { body: { refresh_token: user.refresh } });
    expect(first.status).toBe(200);
    clock.advance(11 * MINUTE);
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: first.body.refresh_token } }))
        .body.code,
    ).toBe('mfa_enrolment_required');
    await app.stop();
  });
});

describe('counts of failures', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app.stop());

  test('N5: nine wrong codes a day are failures in a row: housekeeping forgets none, and the hundredth shuts', async () => {
    const user = await enrol(app);
    let looked = 0;
    for (let day = 0; day < 13; day++) {
      let token = '';
      for (let i = 0; i < 9; i++) {
        if (i % 4 === 0) token = await challenge(app, user.username);
        if ((await answer(app, token, { totp: wrong(user) })).body.code === 'invalid_credentials')
          looked += 1;
      }
      app.clock.advance(DAY + 1_000);
      await purge(app);
    }
    expect(looked).toBeLessThanOrEqual(100);
  });

  test('N5: sessions that showed the password alone have no counts of their own (mfa.required = "off")', async () => {
    const own = await createTestApp({ config: '[mfa]\nrequired = "off"\n' });
    const user = await enrol(own);
    let looked = 0;
    for (let s = 0; s < 6; s++) {
      const { access_token: token } = (await own.login(user.username)).body;
      for (let i = 0; i < 9; i++)
        if (
          (await own.call('POST', '/reauthenticate', { token, body: { totp: wrong(user) } })).body
            .code === 'invalid_credentials'
        )
          looked += 1;
    }
    expect(looked).toBeLessThanOrEqual(own.config.throttle.attempts);
    await own.stop();
  });

  test('a right password with a mistyped code is no wrong password', async () => {
    const user = await enrol(app);
    for (let i = 0; i < 10; i++) await app.login(user.username, PASSWORD, { totp: wrong(user) });
    expect((await app.login(user.username)).body.status).toBe('mfa_required');
  });

  test('L02: strangers who fill the password’s count do not keep out the owner of a key that verifies nobody', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user, { uv: false });
    for (let i = 0; i < 12; i++) await app.login(user.username, WRONG);
    const first = await signIn(app, made, { uv: false });
    expect((await answer(app, first.body.challenge_token, { password: PASSWORD })).status).toBe(
      200,
    );
  });

  test('ASVS 14.2.7: counts of sessions go with the session, all of a user’s with the user, and an operator opens each', async () => {
    const user = await enrol(app);
    const { access_token: token } = (
      await app.login(user.username, PASSWORD, { totp: user.code() })
    ).body;
    for (let i = 0; i < 10; i++)
      await app.call('POST', '/reauthenticate', { token, body: { totp: wrong(user) } });
    await app.call('POST', '/logout/all', { token });
    app.clock.advance(40 * DAY);
    await purge(app);
    expect(
      await column(
        app,
        `SELECT scope_id FROM attempt WHERE scope_kind = 'session' AND owner_user_id = ?`,
        user.userId,
      ),
    ).toEqual([]);
    const other = await app.register();
    for (let i = 0; i < 11; i++)
      await app.call('POST', '/me/totp/confirm', { token: other.access, body: { code: '000000' } });
    expect(
      (
        await app.call('POST', '/me/totp/confirm', {
          token: other.access,
          body: { code: '000000' },
        })
      ).status,
    ).toBe(429);
    await app.kernel.accountState.unlock(operator, other.userId);
    expect(
      (
        await app.call('POST', '/me/totp/confirm', {
          token: other.access,
          body: { code: '000000' },
        })
      ).status,
    ).toBe(422);
    await app.login(other.username, WRONG);
    await app.call('DELETE', '/me', { token: other.access });
    app.clock.advance(2 * DAY);
    await purge(app);
    expect(
      await column(app, 'SELECT purpose FROM attempt WHERE owner_user_id = ?', other.userId),
    ).toEqual([]);
  });
});

test('ASVS 7.5.1: a stale session with the password alone changes no password of who has a second factor', async () => {
  const app = await createTestApp();
  const user = await enrol(app);
  const { access_token: token } = (await app.login(user.username, PASSWORD, { totp: user.code() }))
    .body;
  app.clock.advance(6 * 60_000);
  const change = () =>
    app.call('POST', '/me/password', {
      token,
      body: { current_password: PASSWORD, new_password: NEW },
    });
  const stale = await change();
  expect([stale.status, stale.body.code]).toEqual([401, 'insufficient_user_authentication']);
  await app.call('POST', '/reauthenticate', { token, body: { totp: user.code() } });
  expect((await change()).status).toBe(204);
  // Where the password is all there is, it is asked for in the request itself.
  const plain = await app.register();
  app.clock.advance(6 * 60_000);
  const body = { current_password: PASSWORD, new_password: NEW };
  const changed = await app.call('POST', '/me/password', { token: plain.access, body });
  expect(changed.status).toBe(204);
  await app.stop();
});

describe('an enrolment that was begun', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app.stop());

  test('G8, G9: what was shown to a session is confirmed by that session, before the account changes, or not at all; and it is purged', async () => {
    const user = await app.register();
    const seed = async (token: string): Promise<string> =>
      (await app.call('POST', '/me/totp', { token })).body.secret;
    const confirm = (token: string, secret: string) =>
      app.call('POST', '/me/totp/confirm', {
        token,
        body: { code: codeAt(secret, app.clock.now()) },
      });
    const shown = await seed(user.access);
    const other = (await app.login(user.username)).body.access_token;
    expect((await confirm(other, shown)).body.code).toBe('invalid_code');
    const second = await seed(user.access);
    await app.call('POST', '/me/password', {
      token: user.access,
      body: { current_password: PASSWORD, new_password: NEW },
    });
    expect((await confirm(user.access, second)).body.code).toBe('invalid_code');
    app.clock.advance(2 * 3_600_000);
    await purge(app);
    expect(await column(app, 'SELECT user_id FROM totp_enrolment')).toEqual([]);
  });
});

test('the start warns of factors that users have and the configuration switches off', async () => {
  const [directory, clock] = [mkdtempSync(join(tmpdir(), 'postern-test-')), testClock()];
  const before = await createTestApp({ directory, clock });
  await addPasskey(before, await before.register('keyed'));
  await enrol(before, 'coded');
  await before.stop();
  for (const [config, env, factors] of [
    ['', { POSTERN_SERVER_PUBLIC_URL: 'https://10.0.0.7' }, ['passkey']],
    ['[totp]\nenabled = false\n', {}, ['totp']],
    ['', {}, []],
  ] as const) {
    const app = await createTestApp({ directory, clock, config, env });
    expect(
      app.log
        .filter(({ event }) => event === 'factor.switched_off')
        .map(({ factor, level }) => [factor, level]),
    ).toEqual(factors.map((factor) => [factor, 'warn']));
    await app.stop();
  }
});

test('ten honest sign-ins at once of a key that counts are no clone of each other', async () => {
  const app = await createTestApp();
  const user = await app.register();
  const { made } = await addPasskey(app, user);
  const begun = await Promise.all(Array.from({ length: 10 }, () => signInOptions(app)));
  const bodies = begun.map(({ challenge_id, options }) => ({
    challenge_id,
    credential: assert(made, options),
  }));
  const replies = await Promise.all(
    bodies.map((body) => app.call('POST', '/login/passkey', { body })),
  );
  const { body } = await app.call('GET', '/me/factors', {
    token: replies.find(({ status }) => status === 200)?.body.access_token,
  });
  expect(body.passkeys[0].clone_suspected).toBe(false);
  expect(claimsOf(replies.find(({ status }) => status === 200)?.body.access_token)['sub']).toBe(
    user.userId,
  );
  await app.stop();
});
