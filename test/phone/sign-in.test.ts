/** Signing in with a code that is sent as a text message (O05–O08, E03, R07). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';
import { enrolIn, wrongCode } from '../support/mfa.ts';
import {
  INVALID,
  MINUTE,
  SMS_REGISTERS,
  SMS_SIGN_IN,
  ask,
  codeOf,
  newNetwork,
  newNumber,
  outcome,
  owner,
  present,
  setPhone,
  verifyPhone,
} from './rig.ts';

const MANY = 'max_unverified = 100000\nmax_per_network = 100000\n';
const of = (config: string): string => config.replace('[sms]\n', `[sms]\n${MANY}`);

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({ config: of(SMS_SIGN_IN) });
});
afterAll(() => app.stop());

async function sent(phone: string, own = app): Promise<{ otpId: string; code: string }> {
  const { body } = await ask(own, phone);
  return { otpId: body.otp_id, code: codeOf(await own.texts(phone)) };
}

/** An owner whose number has been quiet. */
async function known(own = app) {
  const made = await owner(own);
  own.clock.advance(2 * MINUTE);
  return made;
}

const claimsOf = async (reply: Reply) =>
  (await app.call('POST', '/verify', { body: { token: reply.body.access_token } })).body.claims;

describe('a code', () => {
  test('is off by default, with numbers or without (ASVS 6.3.6)', async () => {
    const own = await createTestApp();
    expect((await ask(own, newNumber())).status).toBe(404);
    await own.stop();
  });

  test('signs in once, of fifty at once, as one factor of the lowest level', async () => {
    const { phone, id } = await known();
    const { otpId, code } = await sent(phone);
    const replies = await Promise.all(Array.from({ length: 50 }, () => present(app, otpId, code)));
    const good = replies.filter(({ status }) => status === 200);
    expect(good).toHaveLength(1);
    const [reply] = good;
    if (reply === undefined) throw new Error('none signed in');
    const { sub, amr, acr } = await claimsOf(reply);
    expect([sub, amr, acr]).toEqual([id, ['sms'], 'aal1']);
  });

  test('of a number only: an email is not taken where codes by email are off, and with both one of the two', async () => {
    const wrong = await app.call('POST', '/login/otp', { body: { email: 'ada@example.com' } });
    expect(wrong.status).toBe(422);
    const own = await createTestApp({ config: `${of(SMS_SIGN_IN)}[otp.email]\nenabled = true\n` });
    for (const body of [{}, { email: 'ada@example.com', phone: newNumber() }])
      expect((await own.call('POST', '/login/otp', { body })).status).toBe(422);
    const { phone } = await known(own);
    const { otpId, code } = await sent(phone, own);
    expect((await present(own, otpId, code)).status).toBe(200);
    await own.stop();
  });

  test('O11: comes before the second factor that the account has, which a password does not replace, and is never one', async () => {
    const { phone, access } = await known();
    const { code: totp } = await enrolIn(app, access);
    const { otpId, code } = await sent(phone);
    const begun = await present(app, otpId, code);
    expect(begun.body).toMatchObject({ status: 'mfa_required' });
    expect(begun.body.factors).toEqual(['totp', 'recovery_code']);
    const { challenge_token } = begun.body;
    const guessed = { challenge_token, password: PASSWORD };
    const instead = await app.call('POST', '/login/mfa', { body: guessed });
    expect(instead.body.errors[0]).toMatchObject({ pointer: '/password', code: 'not_due' });
    const body = { challenge_token, totp: totp() };
    const done = await app.call('POST', '/login/mfa', { body });
    expect((await claimsOf(done)).amr).toEqual(['sms', 'otp', 'mfa']);
    // O08: the pending sign-in is good once.
    expect(outcome(await app.call('POST', '/login/mfa', { body }))).toEqual([401, 'invalid_token']);
  });

  test('authenticates again in a session of the account, and in no other', async () => {
    const { phone, access } = await known();
    const stranger = await app.register();
    const { otpId, code } = await sent(phone);
    const body = { sms_code: { otp_id: otpId, code } };
    const again = (token: string) => app.call('POST', '/reauthenticate', { token, body });
    expect(outcome(await again(stranger.access))).toEqual(INVALID);
    const done = await again(access);
    expect([done.status, (await claimsOf(done)).amr]).toEqual([200, ['pwd']]);
    expect(outcome(await again(access))).toEqual(INVALID);
  });

  test('O05: of somebody else, an older one, one of ten minutes ago, and one for another purpose are refused', async () => {
    const [one, other] = [await known(), await known()];
    const [first, second] = [await sent(one.phone), await sent(other.phone)];
    expect(outcome(await present(app, first.otpId, second.code))).toEqual(INVALID);
    app.clock.advance(2 * MINUTE);
    const newer = await sent(one.phone);
    expect(outcome(await present(app, first.otpId, first.code))).toEqual(INVALID);
    const asPhone = await verifyPhone(app, one.access, newer.otpId, newer.code);
    expect(outcome(asPhone)).toEqual(INVALID);
    const pending = await setPhone(
      app,
      (await app.login(one.username)).body.access_token,
      newNumber(),
    );
    expect(outcome(await present(app, pending.body.otp_id, '000000'))).toEqual(INVALID);
    app.clock.advance(10 * MINUTE);
    expect(outcome(await present(app, newer.otpId, newer.code))).toEqual(INVALID);
  });

  test('is void when the number is removed, after a change of the password, and for a disabled account', async () => {
    const { phone, access } = await known();
    const before = await sent(phone);
    expect((await app.call('DELETE', '/me/phone', { token: access })).status).toBe(204);
    expect(outcome(await present(app, before.otpId, before.code))).toEqual(INVALID);
    const changed = await known();
    const voided = await sent(changed.phone);
    const change = { current_password: PASSWORD, new_password: 'another horse battery staple' };
    await app.call('POST', '/me/password', { token: changed.access, body: change });
    expect(outcome(await present(app, voided.otpId, voided.code))).toEqual(INVALID);
    const disabled = await known();
    await app.kernel.accountState.disable(operator, disabled.id);
    app.clock.advance(2 * MINUTE);
    const { body } = await ask(app, disabled.phone);
    expect(await app.texts(disabled.phone)).toEqual([]);
    expect(outcome(await present(app, body.otp_id, '000000'))).toEqual(INVALID);
  });

  test('is not compared, and no try is lost, while the hash queue is full', async () => {
    const { phone } = await known();
    const { otpId, code } = await sent(phone);
    const [busy, asked] = await app.whileHashQueueIsFull(
      async () => [await present(app, otpId, code), await ask(app, phone)] as const,
    );
    expect([outcome(busy), outcome(asked)]).toEqual([
      [503, 'overloaded'],
      [503, 'overloaded'],
    ]);
    expect((await present(app, otpId, code)).status).toBe(200);
  });
});

describe('O06: guesses', () => {
  test('five a code, whatever the parallelism; then the right one is refused', async () => {
    const { phone } = await known();
    const { otpId, code } = await sent(phone);
    const guess = wrongCode(code);
    await Promise.all(Array.from({ length: 50 }, () => present(app, otpId, guess)));
    for (let n = 0; n < 5; n++) await present(app, otpId, guess);
    const [tries] = await app.db.read({
      sql: 'SELECT attempts FROM one_time WHERE id = ?',
      params: [otpId],
      map: (rows) => rows.map(([attempts]) => Number(attempts)),
      returns: true,
    });
    expect(tries).toBe(5);
    expect((await present(app, otpId, code)).status).not.toBe(200);
  });

  test('two thousand over many codes and numbers: none past the caps', async () => {
    const own = await createTestApp({ config: of(SMS_SIGN_IN) });
    const victims = [await known(own), await known(own)];
    for (let asked = 0; asked < 2_000; asked += 40) {
      for (const { phone } of victims) {
        const { body } = await ask(own, phone);
        const replies = await Promise.all(
          Array.from({ length: 20 }, (_, n) =>
            present(own, body.otp_id, String(n).padStart(6, '0')),
          ),
        );
        expect(replies.some(({ status }) => status === 200)).toBe(false);
      }
      own.clock.advance(2 * MINUTE);
    }
    const counters = await own.db.read({
      sql: "SELECT failures FROM attempt WHERE purpose = 'sign_in_code'",
      params: [],
      map: (rows) => rows.map(([failures]) => Number(failures)),
      returns: true,
    });
    expect([counters.length, Math.max(...counters) <= 100]).toEqual([2, true]);
    await own.stop();
  });
});

describe('E03: a number', () => {
  const seen = ({ status, headers, body }: Reply): object => ({
    status,
    headers: [...headers].filter(
      ([name]) => !['date', 'x-request-id', 'retry-after'].includes(name),
    ),
    body: Object.entries(body)
      .filter(([name]) => name !== 'request_id')
      .map(([name, value]) => (name === 'otp_id' ? [name, String(value).length] : [name, value])),
  });

  /** All that a stranger learns of a number, and the rows that each step leaves. */
  async function story(own: TestApp, phone: string): Promise<object[]> {
    const steps: object[] = [];
    const rows = async (): Promise<number[]> =>
      own.db.read({
        sql: 'SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM one_time), (SELECT count(*) FROM sms_message), (SELECT count(*) FROM attempt)',
        params: [],
        map: (found) => found.flat().map(Number),
        returns: true,
      });
    for (let round = 0; round < 8; round++) {
      const before = await rows();
      const asked = await ask(own, phone, newNetwork());
      const after = await rows();
      steps.push(
        seen(asked),
        after.map((count, at) => count - (before[at] ?? 0)),
      );
      for (let n = 0; n < 6; n++) steps.push(seen(await present(own, asked.body.otp_id, 'wrong')));
    }
    return steps;
  }

  test.each([
    ['that only signs in', SMS_SIGN_IN, false],
    ['that may create an account', SMS_REGISTERS, true],
  ])(
    '%s: with an account, without one, pending, disabled: one answer and the same rows at each step and each limit',
    async (_, config, registers) => {
      const own = await createTestApp({ config: of(config) });
      const verified = await known(own);
      const disabled = await known(own);
      await own.kernel.accountState.disable(operator, disabled.id);
      const pending = newNumber();
      const { access } = await own.register();
      if (!registers) await setPhone(own, access, pending);
      own.clock.advance(2 * MINUTE);
      const numbers = [verified.phone, disabled.phone, newNumber()];
      const stories: object[][] = [];
      for (const phone of numbers) stories.push(await story(own, phone));
      const [first, ...others] = stories;
      for (const other of others) expect(other).toEqual(first);
      expect(JSON.stringify(first)).toContain('too_many_attempts');
      expect(await own.texts(disabled.phone)).toEqual([]);
      expect((await own.texts(numbers[2] ?? '')).length > 0).toBe(registers);
      await own.stop();
    },
  );
});

describe('R07: otp.auto_register', () => {
  test('the first code creates the account with the number verified; a claim that was pending gets nothing', async () => {
    const own = await createTestApp({ config: of(SMS_REGISTERS) });
    const phone = newNumber();
    const attacker = await own.register();
    const claimed = await setPhone(own, attacker.access, phone);
    const claim = codeOf(await own.texts(phone));
    own.clock.advance(2 * MINUTE);
    const { otpId, code } = await sent(phone, own);
    const victim = await present(own, otpId, code);
    const me = await own.call('GET', '/me', { token: victim.body.access_token });
    expect(me.body).toMatchObject({ phone, phone_verified: true, email: null, username: null });
    expect(me.body.id).not.toBe(attacker.userId);
    const stolen = await verifyPhone(own, attacker.access, claimed.body.otp_id, claim);
    expect(outcome(stolen)).toEqual([409, 'phone_taken']);
    // Of two first codes at once, one creates it.
    const twice = newNumber();
    const one = await sent(twice, own);
    const made = await Promise.all([
      present(own, one.otpId, one.code),
      present(own, one.otpId, one.code),
    ]);
    expect(made.map(({ status }) => status).sort()).toEqual([200, 422]);
    expect(
      outcome(await own.call('DELETE', '/me/phone', { token: victim.body.access_token })),
    ).toEqual([409, 'last_sign_in_method']);
    await own.stop();
  });
});
