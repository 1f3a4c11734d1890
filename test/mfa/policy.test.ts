/**
 * Who is asked for a second factor, and when a session is good enough for what is sensitive (O09,
 * RFC 9470, ASVS 6.3.3, 7.5.1, 7.5.3).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acrOf, amrOf, withFactor, withoutFactor } from '../../src/core/factor/presented.ts';
import type { Amr, FactorKind, PresentedFactor } from '../../src/core/factor/presented.ts';
import { nextStep } from '../../src/core/factor/next-step.ts';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { answer, challenge, claimsOf, codeAt, enrol, enrolIn } from '../support/mfa.ts';

const DAY = 86_400_000;

describe('the decision, by itself', () => {
  const factor = (name: string, kind: FactorKind, ...amr: Amr[]): PresentedFactor => ({
    factor: name,
    kind,
    amr,
  });
  const password = factor('password', 'knowledge', 'pwd');
  const totp = factor('totp', 'device', 'otp');
  const key = factor('passkey', 'device', 'hwk', 'user');
  const verifiedKey = { ...key, isMultiFactor: true };
  const mailbox = factor('email_otp', 'mailbox', 'otp');
  const has = {
    password: { name: 'password', kind: 'knowledge', demandsSecond: false },
    totp: { name: 'totp', kind: 'device', demandsSecond: true },
    passkey: { name: 'passkey', kind: 'device', demandsSecond: true },
    recovery: { name: 'recovery_code', kind: 'device', demandsSecond: false },
  } as const;
  type Presented = readonly PresentedFactor[];
  type Has = readonly (keyof typeof has)[];

  test.each<[string, 'off' | 'enrolled' | 'all', Presented, Has, object]>([
    [
      'a password alone, where that is all there is',
      'enrolled',
      [password],
      ['password'],
      { step: 'done', amr: ['pwd'] },
    ],
    [
      'a password of somebody with an app',
      'enrolled',
      [password],
      ['password', 'totp', 'recovery'],
      { step: 'second_factor', factors: ['totp', 'recovery_code'] },
    ],
    [
      'recovery codes alone ask for nothing',
      'enrolled',
      [password],
      ['password', 'recovery'],
      { step: 'done', amr: ['pwd'] },
    ],
    [
      'a password of somebody with an app, where nobody is asked',
      'off',
      [password],
      ['password', 'totp'],
      { step: 'done', amr: ['pwd'] },
    ],
    [
      'a password and a code',
      'enrolled',
      [password, totp],
      ['password', 'totp'],
      { step: 'done', amr: ['pwd', 'otp', 'mfa'] },
    ],
    [
      'two of one kind are one',
      'enrolled',
      [totp, key],
      ['password', 'totp', 'passkey'],
      { step: 'second_factor', factors: ['password'] },
    ],
    [
      'a passkey that verified its user is two',
      'enrolled',
      [verifiedKey],
      ['password', 'totp', 'passkey'],
      { step: 'done', amr: ['hwk', 'user', 'mfa'] },
    ],
    [
      'a passkey that verified nobody is one: the password is due',
      'enrolled',
      [key],
      ['password', 'passkey'],
      { step: 'second_factor', factors: ['password'] },
    ],
    [
      'a passkey that verified nobody, of somebody who has nothing of another kind',
      'enrolled',
      [key],
      ['passkey', 'totp'],
      { step: 'done', amr: ['hwk', 'user'] },
    ],
    [
      'a mailbox and an app',
      'enrolled',
      [mailbox],
      ['totp'],
      { step: 'second_factor', factors: ['totp'] },
    ],
    [
      'asked of everybody, and not enrolled',
      'all',
      [password],
      ['password'],
      { step: 'enrol', amr: ['pwd'] },
    ],
    [
      'asked of everybody, and enrolled',
      'all',
      [password],
      ['password', 'totp'],
      { step: 'second_factor', factors: ['totp'] },
    ],
    [
      'two kinds are enough though none is enrolled',
      'all',
      [password, mailbox],
      ['password'],
      { step: 'done', amr: ['pwd', 'otp', 'mfa'] },
    ],
  ])('%s', (...[, required, presented, enrolled, expected]) => {
    const next = nextStep(
      { required, graceMs: DAY },
      presented,
      enrolled.map((name) => has[name]),
    );
    const amr = next.step === 'second_factor' ? {} : { amr: amrOf(presented) };
    expect({ ...next, ...amr }).toEqual(expected);
  });

  test.each<[string, Presented, PresentedFactor, readonly Amr[]]>([
    ['a password, an app', [password], totp, ['pwd', 'otp', 'mfa']],
    ['a password twice', [password], password, ['pwd']],
    ['a key, an app: one kind', [key], totp, ['hwk', 'user', 'otp']],
    ['a key, a password', [key], password, ['hwk', 'user', 'pwd', 'mfa']],
    ['a password, a key that verified', [password], verifiedKey, ['pwd', 'hwk', 'user', 'mfa']],
    ['a key that verified, an app', [verifiedKey], totp, ['hwk', 'user', 'otp', 'mfa']],
    ['a key that verified, the key alone', [verifiedKey], key, ['hwk', 'user', 'mfa']],
  ])('presented again: %s', (...[, before, added, expected]) =>
    expect(amrOf(withFactor(before, added))).toEqual(expected),
  );

  test.each<[string, Presented, string, readonly Amr[]]>([
    ['the app of two', [password, totp], 'totp', ['pwd']],
    ['the app of three', [password, totp, verifiedKey], 'totp', ['pwd', 'hwk', 'user', 'mfa']],
    ['an app that was not presented', [verifiedKey], 'totp', ['hwk', 'user', 'mfa']],
    ['the only key', [verifiedKey], 'passkey', []],
    ['the app beside another otp', [password, totp, mailbox], 'totp', ['pwd', 'otp', 'mfa']],
  ])('removed: %s', (...[, before, name, expected]) => {
    const left = withoutFactor(before, name);
    expect(amrOf(left)).toEqual(expected);
    expect(acrOf(left)).toBe(expected.includes('mfa') ? 'aal2' : 'aal1');
  });
});

describe('what is sensitive', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app.stop());

  const SENSITIVE: [string, string, object | undefined][] = [
    ['POST', '/me/totp', undefined],
    ['POST', '/me/totp/confirm', { code: '000000' }],
    ['DELETE', '/me/totp', undefined],
    ['POST', '/me/recovery-codes', undefined],
    ['POST', '/me/passkeys/options', undefined],
    ['PATCH', '/me', { email: 'elsewhere@example.com' }],
    ['DELETE', '/me', undefined],
  ];

  test.each(SENSITIVE)(
    'O09, ASVS 7.5.1: %s %s of a session that is old demands a step-up',
    async (method, path, body) => {
      const user = await enrol(app);
      const { access_token: token } = (
        await app.login(user.username, PASSWORD, { totp: user.code() })
      ).body;
      app.clock.advance(6 * 60_000);
      const reply = await app.call(method, path, {
        token,
        ...(body === undefined ? {} : { body }),
      });
      if (reply.status === 404) return;
      expect([reply.status, reply.body.code]).toEqual([401, 'insufficient_user_authentication']);
      expect(reply.headers.get('www-authenticate')).toContain('max_age="300"');
    },
  );

  test.each(SENSITIVE)(
    'O09, ASVS 7.5.3: %s %s of a session that showed the password alone demands the second factor',
    async (method, path, body) => {
      const user = await enrol(app);
      const { access_token: token, session_id: id } = (
        await app.login(user.username, PASSWORD, { totp: user.code() })
      ).body;
      await app.db.write([
        {
          sql: 'UPDATE session SET factors = ? WHERE id = ?',
          params: [JSON.stringify([{ factor: 'password', kind: 'knowledge', amr: ['pwd'] }]), id],
          map: () => [],
          returns: false,
        },
      ]);
      const reply = await app.call(method, path, {
        token,
        ...(body === undefined ? {} : { body }),
      });
      if (reply.status === 404) return;
      expect([reply.status, reply.body.code, reply.body.factors]).toEqual([
        401,
        'insufficient_user_authentication',
        ['totp', 'recovery_code'],
      ]);
      expect(reply.headers.get('www-authenticate')).toContain('acr_values="aal2"');
    },
  );

  test('POST /reauthenticate by a code: the same session, a new auth_time, and what was refused is taken', async () => {
    const user = await enrol(app);
    const signedIn = (await app.login(user.username, PASSWORD, { totp: user.code() })).body;
    app.clock.advance(10 * 60_000);
    const wrong = await app.call('POST', '/reauthenticate', {
      token: signedIn.access_token,
      body: { totp: '12345x' },
    });
    expect([wrong.status, wrong.body.code]).toEqual([401, 'invalid_credentials']);
    const again = await app.call('POST', '/reauthenticate', {
      token: signedIn.access_token,
      body: { totp: user.code() },
    });
    expect([again.status, again.body.session_id]).toEqual([200, signedIn.session_id]);
    expect(claimsOf(again.body.access_token)).toMatchObject({
      amr: ['pwd', 'otp', 'mfa'],
      acr: 'aal2',
      auth_time: Math.floor(app.clock.now() / 1000),
    });
    expect(
      (await app.call('POST', '/me/recovery-codes', { token: again.body.access_token })).status,
    ).toBe(200);
    // O01: the step is spent here too.
    expect(
      (
        await app.call('POST', '/reauthenticate', {
          token: signedIn.access_token,
          body: { totp: user.code() },
        })
      ).body.code,
    ).toBe('invalid_credentials');
  });

  test('O09: the password alone is not enough again for who has a second factor: 401 insufficient_user_authentication with the factors that would do', async () => {
    const user = await enrol(app);
    const { access_token: token } = (
      await app.login(user.username, PASSWORD, { totp: user.code() })
    ).body;
    app.clock.advance(10 * 60_000);
    const reply = await app.call('POST', '/reauthenticate', {
      token,
      body: { password: PASSWORD },
    });
    expect([reply.status, reply.body.code, reply.body.factors]).toEqual([
      401,
      'insufficient_user_authentication',
      ['totp', 'recovery_code'],
    ]);
    expect(
      (
        await app.call('POST', '/reauthenticate', {
          token,
          body: { recovery_code: user.recoveryCodes[0] },
        })
      ).status,
    ).toBe(200);
  });

  test('enrolling is showing: the session that did it stands at aal2, and needs no second code for the next step', async () => {
    const user = await app.register();
    await enrolIn(app, user.access);
    expect((await app.call('POST', '/me/recovery-codes', { token: user.access })).status).toBe(200);
    const refreshed = await app.call('POST', '/refresh', { body: { refresh_token: user.refresh } });
    expect(claimsOf(refreshed.body.access_token)).toMatchObject({ acr: 'aal2' });
  });

  test('G9, ASVS 7.4.3, 6.3.7: a new factor ends the other sessions, voids what they had begun, and is notified', async () => {
    const address = 'told@example.com';
    const { registration_id: id } = (
      await app.call('POST', '/register', { body: { email: address, password: PASSWORD } })
    ).body;
    const made = (
      await app.call('POST', '/register/verify', {
        body: { registration_id: id, code: (await app.emails(address))[0]?.values['code'] },
      })
    ).body;
    const other = (await app.login(address)).body;
    await app.call('POST', '/password/forgot', { body: { username: address } });
    await app.call('PATCH', '/me', {
      token: made.access_token,
      body: { email: 'moved.told@example.com' },
    });
    const reset = (await app.emails(address)).find(({ template }) => template === 'reset_password')
      ?.values['token'];
    await enrolIn(app, made.access_token);
    expect(
      (await app.emails(address)).map(({ template, values }) => [template, values['factor']]),
    ).toEqual([['factor_added', 'an authenticator app']]);
    expect((await app.call('GET', '/me', { token: other.access_token })).body.code).toBe(
      'session_revoked',
    );
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: other.refresh_token } })).body
        .code,
    ).toBe('session_revoked');
    expect(
      (await app.call('POST', '/password/reset/check', { body: { token: reset } })).status,
    ).toBe(410);
    expect((await app.call('GET', '/me', { token: made.access_token })).body.email).toBe(address);
    expect(
      await app.db.read({
        sql: 'SELECT pending_email FROM user WHERE email = ?',
        params: [address],
        map: (rows) => rows.map(([value]) => value),
        returns: true,
      }),
    ).toEqual([null]);
    await app.call('DELETE', '/me/totp', { token: made.access_token });
    expect((await app.emails(address)).map(({ template }) => template)).toEqual(['factor_removed']);
  });

  test('guesses within a session are counted: 429, and they don’t keep a sign-in from the account', async () => {
    const user = await enrol(app);
    const { access_token: token } = (
      await app.login(user.username, PASSWORD, { totp: user.code() })
    ).body;
    const codes: string[] = [];
    for (let i = 0; i < 15; i++)
      codes.push(
        (await app.call('POST', '/reauthenticate', { token, body: { totp: '12345x' } })).body.code,
      );
    expect(codes.filter((code) => code === 'invalid_credentials').length).toBeLessThanOrEqual(
      app.config.throttle.attempts,
    );
    expect(codes.at(-1)).toBe('too_many_attempts');
    expect((await app.login(user.username, PASSWORD, { totp: user.code(1) })).status).toBe(200);
  });

  test('L04: a right password within a session opens no room for more codes', async () => {
    const user = await enrol(app);
    const { access_token: token } = (
      await app.login(user.username, PASSWORD, { totp: user.code() })
    ).body;
    let looked = 0;
    for (let i = 0; i < 40; i++) {
      if (
        (await app.call('POST', '/reauthenticate', { token, body: { totp: '12345x' } })).body
          .code === 'invalid_credentials'
      )
        looked += 1;
      if (i % 4 === 3)
        await app.call('POST', '/reauthenticate', { token, body: { password: PASSWORD } });
    }
    expect(looked).toBeLessThanOrEqual(app.config.throttle.attempts);
  });

  test('ASVS 6.4.4, 6.5.6: an operator removes all factors: the sessions end, the user is notified, the password alone signs in', async () => {
    const user = await enrol(app);
    const { access_token: token } = (
      await app.login(user.username, PASSWORD, { totp: user.code() })
    ).body;
    const pending = await challenge(app, user.username);
    const row = await app.call('GET', '/me', { token });
    const { findUserById } = await import('../../src/core/user/user.ts');
    const found = await findUserById(app.db, row.body.id);
    if (found === null) throw new Error('gone');
    await app.kernel.factors.removeAll(operator, found);
    expect((await app.call('GET', '/me', { token })).body.code).toBe('session_revoked');
    expect((await answer(app, pending, { totp: user.code(1) })).body.code).toBe('invalid_token');
    const next = await app.login(user.username);
    expect([next.body.status, claimsOf(next.body.access_token)['acr']]).toEqual([
      'authenticated',
      'aal1',
    ]);
  });

  test('ASVS 6.4.4: passkeys go with the other factors, but stay where nothing else signs in', async () => {
    const { findUserById } = await import('../../src/core/user/user.ts');
    const left = async (id: string) =>
      app.db.read({
        sql: 'SELECT count(*) FROM passkey WHERE user_id = ?',
        params: [id],
        map: (rows) => rows.map(([count]) => Number(count)),
        returns: true,
      });
    for (const [withPassword, count] of [
      [true, 0],
      [false, 1],
    ] as const) {
      const { userId } = await app.register();
      await app.db.write([
        {
          sql: `INSERT INTO passkey (id, user_id, credential_id, public_key, counter, transports, name, aaguid, backup_eligible, backed_up, created_at) VALUES (?, ?, ?, 'x', 0, '[]', 'x', 'x', 0, 0, 0)`,
          params: [userId, userId, userId],
          map: () => [],
          returns: false,
        },
      ]);
      if (!withPassword)
        await app.db.write([
          {
            sql: 'DELETE FROM password_credential WHERE user_id = ?',
            params: [userId],
            map: () => [],
            returns: false,
          },
        ]);
      const user = await findUserById(app.db, userId);
      if (user === null) throw new Error('gone');
      await app.kernel.factors.removeAll(operator, user);
      expect(await left(userId)).toEqual([count]);
    }
  });

  test('a deleted account takes its factors with it', async () => {
    const user = await enrol(app);
    const { access_token: token } = (
      await app.login(user.username, PASSWORD, { totp: user.code() })
    ).body;
    await app.call('POST', '/me/totp', { token });
    expect((await app.call('DELETE', '/me', { token })).status).toBe(204);
    for (const table of ['totp', 'totp_enrolment', 'recovery_code', 'passkey']) {
      expect(
        await app.db.read({
          sql: `SELECT count(*) FROM ${table} WHERE user_id = ?`,
          params: [user.userId],
          map: (rows) => rows.map(([count]) => Number(count)),
          returns: true,
        }),
      ).toEqual([0]);
    }
  });
});

describe('mfa.required = "off"', () => {
  test('a factor can be enrolled and is asked of nobody, nor for what is sensitive', async () => {
    const app = await createTestApp({ config: '[mfa]\nrequired = "off"\n' });
    const user = await enrol(app, 'unasked');
    const signedIn = await app.login('unasked');
    expect(signedIn.body.status).toBe('authenticated');
    expect(
      (await app.call('POST', '/me/recovery-codes', { token: signedIn.body.access_token })).status,
    ).toBe(200);
    app.clock.advance(10 * 60_000);
    expect(
      (
        await app.call('POST', '/reauthenticate', {
          token: signedIn.body.access_token,
          body: { password: PASSWORD },
        })
      ).status,
    ).toBe(200);
    expect(user.recoveryCodes).toHaveLength(10);
    await app.stop();
  });
});

describe('mfa.required = "all" (ASVS 6.3.3)', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({
      config:
        '[mfa]\nrequired = "all"\ngrace = "3d"\n[sessions]\nrefresh_ttl = "60d"\nidle_ttl = "30d"\n',
    });
  });
  afterAll(() => app.stop());

  test('a user without one learns until when enrolment can be postponed; the time begins once, and after it 403 mfa_enrolment_required', async () => {
    const made = await app.call('POST', '/register', {
      body: { username: 'late', password: PASSWORD },
    });
    const due = made.body.mfa_due_at;
    expect(Date.parse(due) - app.clock.now()).toBeGreaterThan(3 * DAY - 60_000);
    app.clock.advance(2 * DAY);
    const later = await app.login('late');
    expect([later.status, later.body.mfa_due_at]).toEqual([200, due]);
    app.clock.advance(DAY);
    const refused = await app.login('late');
    expect([refused.status, refused.body.code]).toEqual([403, 'mfa_enrolment_required']);
    expect((await app.login('late', 'wrong horse battery')).body.code).toBe('invalid_credentials');
    // POST /refresh: the session that lacks one ends with the time.
    const refresh = await app.call('POST', '/refresh', {
      body: { refresh_token: later.body.refresh_token },
    });
    expect([refresh.status, refresh.body.code]).toEqual([403, 'mfa_enrolment_required']);
    await app.kernel.accountState.renewGrace(operator, made.body.user.id);
    const begun = await app.call('POST', '/login', {
      body: { username: 'late', password: PASSWORD },
    });
    expect(app.clock.now() + 3 * DAY - Date.parse(begun.body.mfa_due_at)).toBeLessThan(60_000);
  });

  test('a user who enrols in time is asked for it from then on, gets no date, and can refresh past it', async () => {
    const user = await app.register('early');
    const { secret } = await enrolIn(app, user.access);
    const signedIn = await app.login('early', PASSWORD, { totp: codeAt(secret, app.clock.now()) });
    expect([signedIn.status, signedIn.body.mfa_due_at]).toEqual([200, undefined]);
    app.clock.advance(4 * DAY);
    const refreshed = await app.call('POST', '/refresh', {
      body: { refresh_token: signedIn.body.refresh_token },
    });
    expect(refreshed.status).toBe(200);
    // The last one can't be taken away: 409 last_second_factor.
    const again = await app.call('POST', '/reauthenticate', {
      token: refreshed.body.access_token,
      body: { totp: codeAt(secret, app.clock.now()) },
    });
    const removed = await app.call('DELETE', '/me/totp', { token: again.body.access_token });
    expect([removed.status, removed.body.code]).toEqual([409, 'last_second_factor']);
  });
});
