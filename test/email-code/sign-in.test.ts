/** Signing in with a code that is sent by email: what it takes, and what is refused (O05, O06, E03, L06). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';
import { enrolIn, wrongCode } from '../support/mfa.ts';

const ON = '[otp.email]\nenabled = true\n';
const REGISTERS = `[otp]\nauto_register = true\n${ON}`;
const MINUTE = 60_000;

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({ config: ON });
});
afterAll(() => app.stop());

let counter = 0;
const newAddress = (): string => `reader${++counter}@example.com`;

/** An account with a verified address. */
async function reader(
  own: TestApp = app,
): Promise<{ email: string; id: string; access: string; device: string }> {
  const email = newAddress();
  const begun = await own.call('POST', '/register', { body: { email, password: PASSWORD } });
  const code = (await own.emails(email))[0]?.values['code'];
  const { body } = await own.call('POST', '/register/verify', {
    body: { registration_id: begun.body.registration_id, code },
  });
  return { email, id: body.user.id, access: body.access_token, device: body.device_token };
}

const ask = (email: string, own: TestApp = app) =>
  own.call('POST', '/login/otp', { body: { email } });
const codesTo = async (email: string, own: TestApp = app): Promise<string[]> =>
  (await own.emails(email)).flatMap(({ template, values }) =>
    template === 'sign_in_code' ? (values['code'] ?? []) : [],
  );
const present = (otpId: string, code: string, extra: object = {}, own: TestApp = app) =>
  own.call('POST', '/login/otp/verify', { body: { otp_id: otpId, code, ...extra } });

async function sent(email: string, own: TestApp = app): Promise<{ otpId: string; code: string }> {
  const { body } = await ask(email, own);
  const code = (await codesTo(email, own)).at(-1);
  if (code === undefined) throw new Error('no code was sent');
  return { otpId: body.otp_id, code };
}

const outcome = ({ status, body }: Reply) => [status, body.code];
const INVALID = [422, 'invalid_code'];

describe('a code', () => {
  test('is off by default (ASVS 6.3.6)', async () => {
    const own = await createTestApp();
    expect((await ask('ada@example.com', own)).status).toBe(404);
    await own.stop();
  });

  test('signs in once, as one factor of the lowest level', async () => {
    const { email } = await reader();
    const { otpId, code } = await sent(email);
    expect(code).toMatch(/^\d{6}$/);
    const done = await present(otpId, code);
    expect([done.status, done.body.status]).toEqual([200, 'authenticated']);
    const { claims } = (
      await app.call('POST', '/verify', { body: { token: done.body.access_token } })
    ).body;
    expect([claims.amr, claims.acr]).toEqual([['otp'], 'aal1']);
    expect(outcome(await present(otpId, code))).toEqual(INVALID);
  });

  test('is good for one of fifty at once', async () => {
    const { email } = await reader();
    const { otpId, code } = await sent(email);
    const replies = await Promise.all(Array.from({ length: 50 }, () => present(otpId, code)));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test('comes before the second factor that the account has', async () => {
    const { email, access } = await reader();
    const { code: totp } = await enrolIn(app, access);
    const { otpId, code } = await sent(email);
    const begun = await present(otpId, code);
    expect(begun.body).toMatchObject({ status: 'mfa_required' });
    expect(begun.body.factors).not.toContain('email_code');
    const body = { challenge_token: begun.body.challenge_token, totp: totp() };
    expect((await app.call('POST', '/login/mfa', { body })).body.status).toBe('authenticated');
  });

  test('O08: the pending sign-in that follows is good once, for five minutes, and not after a change of the password', async () => {
    const { email, access } = await reader();
    const { code: totp } = await enrolIn(app, access);
    const pending = async (): Promise<string> => {
      app.clock.advance(2 * MINUTE);
      const { otpId, code } = await sent(email);
      return (await present(otpId, code)).body.challenge_token;
    };
    const finish = (challenge_token: string) =>
      app.call('POST', '/login/mfa', { body: { challenge_token, totp: totp() } });
    const used = await pending();
    expect((await finish(used)).body.status).toBe('authenticated');
    expect(outcome(await finish(used))).toEqual([401, 'invalid_token']);
    const late = await pending();
    app.clock.advance(5 * MINUTE);
    expect(outcome(await finish(late))).toEqual([401, 'invalid_token']);
    const voided = await pending();
    const { body } = await finish(await pending());
    const change = { current_password: PASSWORD, new_password: 'another horse battery staple' };
    const token = body.access_token;
    await app.call('POST', '/me/password', { token, body: change });
    expect(outcome(await finish(voided))).toEqual([401, 'invalid_token']);
    expect(outcome(await app.call('GET', '/me', { token: voided }))).toEqual([
      401,
      'invalid_token',
    ]);
  });

  test('O05: of somebody else, an older one, one of ten minutes ago, and one for another purpose are refused', async () => {
    const [one, other] = [await reader(), await reader()];
    const [first, second] = [await sent(one.email), await sent(other.email)];
    expect(outcome(await present(first.otpId, second.code))).toEqual(INVALID);
    app.clock.advance(2 * MINUTE);
    const newer = await sent(one.email);
    expect(outcome(await present(first.otpId, first.code))).toEqual(INVALID);
    const begun = await app.call('POST', '/register', {
      body: { email: newAddress(), password: PASSWORD },
    });
    expect(outcome(await present(begun.body.registration_id, '000000'))).toEqual(INVALID);
    const asRegistration = { registration_id: newer.otpId, code: newer.code };
    expect(outcome(await app.call('POST', '/register/verify', { body: asRegistration }))).toEqual(
      INVALID,
    );
    app.clock.advance(10 * MINUTE);
    expect(outcome(await present(newer.otpId, newer.code))).toEqual(INVALID);
  });

  test('is void after a change of the password, and for a disabled account', async () => {
    const { email, id, access } = await reader();
    const before = await sent(email);
    const change = { current_password: PASSWORD, new_password: 'another horse battery staple' };
    expect((await app.call('POST', '/me/password', { token: access, body: change })).status).toBe(
      204,
    );
    expect(outcome(await present(before.otpId, before.code))).toEqual(INVALID);
    app.clock.advance(2 * MINUTE);
    const later = await sent(email);
    await app.db.write([
      {
        sql: 'UPDATE user SET disabled_at = 1 WHERE id = ?',
        params: [id],
        map: () => [],
        returns: false,
      },
    ]);
    expect(outcome(await present(later.otpId, later.code))).toEqual([403, 'account_disabled']);
  });

  test('is followed by what the policies demand', async () => {
    const { email, id } = await reader();
    await app.db.write([
      {
        sql: 'UPDATE user SET password_change_required_at = 1 WHERE id = ?',
        params: [id],
        map: () => [],
        returns: false,
      },
    ]);
    const due = await sent(email);
    expect(outcome(await present(due.otpId, due.code))).toEqual([403, 'password_change_required']);
    const strict = await createTestApp({ config: `${ON}[mfa]\nrequired = "all"\ngrace = "10m"\n` });
    const late = await reader(strict);
    strict.clock.advance(11 * MINUTE);
    const { otpId, code } = await sent(late.email, strict);
    expect(outcome(await present(otpId, code, {}, strict))).toEqual([
      403,
      'mfa_enrolment_required',
    ]);
    await strict.stop();
  });

  test('goes to one audience, and to a cookie only where that is allowed', async () => {
    const config = `${ON}[cookies]\nenabled = true\nallowed_origins = ["https://app.example.com"]\n`;
    const own = await createTestApp({ config });
    const { email } = await reader(own);
    const { otpId, code } = await sent(email, own);
    const elsewhere = { resource: 'https://nowhere.example.com' };
    expect(outcome(await present(otpId, code, elsewhere, own))).toEqual([400, 'invalid_target']);
    expect(outcome(await present(otpId, code, { cookie: true }, own))).toEqual([
      403,
      'origin_not_allowed',
    ]);
    expect((await present(otpId, code, {}, own)).status).toBe(200);
    await own.stop();
  });

  test('is not compared, and no try is lost, while the hash queue is full', async () => {
    const { email } = await reader();
    const { otpId, code } = await sent(email);
    const [busy, asked] = await app.whileHashQueueIsFull(
      async () => [await present(otpId, code), await ask(email)] as const,
    );
    expect([outcome(busy), outcome(asked)]).toEqual([
      [503, 'overloaded'],
      [503, 'overloaded'],
    ]);
    expect((await present(otpId, code)).status).toBe(200);
  });
});

describe('O06: guesses', () => {
  test('five a code, whatever the parallelism; then the right one is refused', async () => {
    const { email } = await reader();
    const { otpId, code } = await sent(email);
    const guess = wrongCode(code);
    const replies = await Promise.all(Array.from({ length: 50 }, () => present(otpId, guess)));
    expect(new Set(replies.map(({ status }) => status)).has(200)).toBe(false);
    const [tries] = await app.db.read({
      sql: 'SELECT attempts FROM one_time WHERE id = ?',
      params: [otpId],
      map: (rows) => rows.map(([attempts]) => Number(attempts)),
      returns: true,
    });
    expect(tries).toBeLessThanOrEqual(5);
    // Those that a full hash queue refused were not compared, and don't count.
    for (let n = 0; n < 5; n++) await present(otpId, guess);
    expect(outcome(await present(otpId, code))).toEqual(INVALID);
  });

  test('two thousand over many codes and addresses: none past the caps', async () => {
    const own = await createTestApp({ config: ON });
    const readers = await Promise.all([reader(own), reader(own)]);
    let evaluated = 0;
    let asked = 0;
    while (asked < 2_000) {
      for (const { email } of readers) {
        const { body } = await ask(email, own);
        const replies = await Promise.all(
          Array.from({ length: 20 }, (_, n) =>
            present(body.otp_id, String(n).padStart(6, '0'), {}, own),
          ),
        );
        asked += replies.length;
        evaluated +=
          replies.filter(({ body: answer }) => answer.code === 'invalid_code').length > 0 ? 5 : 0;
        expect(replies.some(({ status }) => status === 200)).toBe(false);
      }
      own.clock.advance(2 * MINUTE);
    }
    // What was compared is what the counters of the addresses let through: a hundred each at most.
    const counters = await own.db.read({
      sql: "SELECT failures FROM attempt WHERE purpose = 'sign_in_code'",
      params: [],
      map: (rows) => rows.map(([failures]) => Number(failures)),
      returns: true,
    });
    expect(counters.length).toBe(2);
    expect(Math.max(...counters)).toBeLessThanOrEqual(100);
    expect(evaluated).toBeGreaterThan(0);
    await own.stop();
  });

  test('of strangers leave a known device its own tries', async () => {
    const { email, device } = await reader();
    for (let round = 0; round < 6; round++) {
      const { body } = await ask(email);
      for (let n = 0; n < 5; n++) await present(body.otp_id, 'wrong');
      app.clock.advance(MINUTE);
    }
    app.clock.advance(60 * MINUTE);
    const { otpId, code } = await sent(email);
    for (let n = 0; n < 4; n++) await present(otpId, 'wrong');
    const done = await present(otpId, code, { device_token: device });
    expect(done.body.device_token).toBe(device);
  });
});

describe('E03: an address', () => {
  /** All that a caller sees, but values that are another each time. */
  const seen = ({ status, headers, body }: Reply): object => ({
    status,
    headers: [...headers].filter(
      ([name]) => !['date', 'x-request-id', 'retry-after'].includes(name),
    ),
    body: Object.entries(body)
      .filter(([name]) => name !== 'request_id')
      .map(([name, value]) => (name === 'otp_id' ? [name, String(value).length] : [name, value])),
  });

  test('with an account, without one, pending, disabled: one answer, at each step and at each limit', async () => {
    const own = await createTestApp({ config: ON });
    const known = await reader(own);
    const disabled = await reader(own);
    await own.kernel.accountState.disable(operator, disabled.id);
    const pending = newAddress();
    await own.call('POST', '/register', {
      body: { username: 'waiting', email: pending, password: PASSWORD },
    });
    const told: Record<string, object[]> = {};
    for (const email of [known.email, disabled.email, pending, newAddress()]) {
      const steps: object[] = [];
      for (let round = 0; round < 8; round++) {
        const asked = await ask(email, own);
        steps.push(seen(asked));
        for (let n = 0; n < 6; n++)
          steps.push(seen(await present(asked.body.otp_id, 'wrong', {}, own)));
      }
      told[email] = steps;
    }
    const [first, ...others] = Object.values(told);
    for (const other of others) expect(other).toEqual(first);
    expect(JSON.stringify(first)).toContain('too_many_attempts');
    expect(await codesTo(pending, own)).toEqual([]);
    expect(await codesTo(disabled.email, own)).toEqual([]);
    await own.stop();
  });

  test('where a code may create an account: with one, without one, disabled: one answer at each step and at each limit', async () => {
    const own = await createTestApp({ config: REGISTERS });
    const known = await reader(own);
    const disabled = await reader(own);
    await own.kernel.accountState.disable(operator, disabled.id);
    const told: Record<string, object[]> = {};
    const addresses = [known.email, disabled.email, newAddress()];
    for (const email of addresses) {
      const steps: object[] = [];
      for (let round = 0; round < 8; round++) {
        const asked = await ask(email, own);
        steps.push(seen(asked));
        for (let n = 0; n < 6; n++)
          steps.push(seen(await present(asked.body.otp_id, 'wrong', {}, own)));
      }
      told[email] = steps;
    }
    const [first, ...others] = Object.values(told);
    for (const other of others) expect(other).toEqual(first);
    expect(JSON.stringify(first)).toContain('too_many_attempts');
    const sentTo: number[] = [];
    for (const email of addresses) sentTo.push((await codesTo(email, own)).length);
    expect(sentTo).toEqual([1, 0, 1]);
    await own.stop();
  });

  test('that is none is refused as such', async () => {
    expect(outcome(await ask('not an address'))).toEqual([422, 'invalid_request']);
  });

  test('L06: fifty requests send what the limits of an address allow, and the sent code still works', async () => {
    const { email } = await reader();
    const first = await ask(email);
    for (let round = 0; round < 7; round++) {
      const more = await Promise.all(Array.from({ length: 7 }, () => ask(email)));
      expect(new Set(more.map(({ status }) => status))).toEqual(new Set([202]));
    }
    const codes = await codesTo(email);
    expect(codes).toHaveLength(1);
    expect((await present(first.body.otp_id, codes[0] ?? '')).status).toBe(200);
  });
});

describe('otp.auto_register: a code to an address without an account', () => {
  let own: TestApp;
  beforeAll(async () => {
    own = await createTestApp({ config: REGISTERS });
  });
  afterAll(() => own.stop());

  test('creates one when it comes back, with that address verified and no password; the next one signs in to it', async () => {
    const email = `New.Reader${newAddress()}`;
    const { otpId, code } = await sent(email, own);
    const made = await present(otpId, code, {}, own);
    expect([made.status, made.body.status]).toEqual([200, 'authenticated']);
    const me = await own.call('GET', '/me', { token: made.body.access_token });
    expect(me.body).toMatchObject({ email, email_verified: true, username: null });
    expect(own.log).toContainEqual(
      expect.objectContaining({
        event: 'user.registered',
        factor: 'email_code',
        'user.id': me.body.id,
      }),
    );
    expect(outcome(await present(otpId, code, {}, own))).toEqual(INVALID);
    expect((await own.login(email)).status).toBe(401);
    own.clock.advance(2 * MINUTE);
    const again = await sent(email, own);
    const back = await present(again.otpId, again.code, {}, own);
    const next = await own.call('GET', '/me', { token: back.body.access_token });
    expect(next.body.id).toBe(me.body.id);
  });

  test('creates one account of fifty at once', async () => {
    const email = newAddress();
    const { otpId, code } = await sent(email, own);
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => present(otpId, code, {}, own)),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test('O05: is void after a newer one, after its time, and when the address got an account meanwhile', async () => {
    const email = newAddress();
    const older = await sent(email, own);
    own.clock.advance(2 * MINUTE);
    const newer = await sent(email, own);
    expect(outcome(await present(older.otpId, older.code, {}, own))).toEqual(INVALID);
    const begun = await own.call('POST', '/register', { body: { email, password: PASSWORD } });
    const code = (await own.emails(email)).at(-1)?.values['code'];
    const body = { registration_id: begun.body.registration_id, code };
    expect((await own.call('POST', '/register/verify', { body })).status).toBe(201);
    expect(outcome(await present(newer.otpId, newer.code, {}, own))).toEqual(INVALID);
    const late = newAddress();
    const old = await sent(late, own);
    own.clock.advance(10 * MINUTE);
    expect(outcome(await present(old.otpId, old.code, {}, own))).toEqual(INVALID);
  });

  test('O06: five guesses a code, and its address has a limit over all codes', async () => {
    const email = newAddress();
    const { otpId, code } = await sent(email, own);
    for (let n = 0; n < 5; n++) await present(otpId, wrongCode(code), {}, own);
    expect(outcome(await present(otpId, code, {}, own))).toEqual(INVALID);
  });

  test('L06: fifty requests send one, which works; the others void nothing', async () => {
    const email = newAddress();
    const first = await ask(email, own);
    await Promise.all(Array.from({ length: 49 }, () => ask(email, own)));
    const codes = await codesTo(email, own);
    expect(codes).toHaveLength(1);
    expect((await present(first.body.otp_id, codes[0] ?? '', {}, own)).status).toBe(200);
  });

  test('R07: who had claimed the address before keeps nothing: another account, and the claim opens nothing', async () => {
    const email = newAddress();
    const attacker = await own.call('POST', '/register', {
      body: { username: 'claims', email, password: PASSWORD },
    });
    const claim = (await own.emails(email)).at(-1);
    own.clock.advance(2 * MINUTE);
    const { otpId, code } = await sent(email, own);
    const victim = await present(otpId, code, {}, own);
    const me = await own.call('GET', '/me', { token: victim.body.access_token });
    expect(me.body.id).not.toBe(attacker.body.user.id);
    expect((await own.login(email)).status).toBe(401);
    const token = attacker.body.access_token;
    const verified = await own.call('POST', '/email/verify', {
      token,
      body: { code: claim?.values['code'] ?? '000000' },
    });
    expect(outcome(verified)).toEqual(INVALID);
  });

  test('is refused beyond the registrations of a network, and stays good', async () => {
    const config = `${REGISTERS}[limits]\nregister = "1/1h"\nlogin = "off"\nemails = "off"\n`;
    const strict = await createTestApp({ config });
    const [one, other] = [newAddress(), newAddress()];
    const first = await sent(one, strict);
    expect((await present(first.otpId, first.code, {}, strict)).status).toBe(200);
    const second = await sent(other, strict);
    expect(outcome(await present(second.otpId, second.code, {}, strict))).toEqual([
      429,
      'rate_limited',
    ]);
    strict.clock.advance(9 * MINUTE);
    expect(outcome(await present(second.otpId, second.code, {}, strict))).toEqual([
      429,
      'rate_limited',
    ]);
    await strict.stop();
  });
});

test('[otp] length, alphabet and ttl: what is sent, typed and valid', async () => {
  const config = `[otp]\nlength = 8\nalphabet = "letters"\nttl = "2m"\n${ON}`;
  const own = await createTestApp({ config });
  const { email } = await reader(own);
  const asked = await ask(email, own);
  expect(asked.body.expires_in).toBe(120);
  const [code = ''] = await codesTo(email, own);
  expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{8}$/);
  const typed = ` ${code.slice(0, 4).toLowerCase()}-${code.slice(4)}`;
  expect((await present(asked.body.otp_id, typed, {}, own)).status).toBe(200);
  own.clock.advance(2 * MINUTE);
  const later = await sent(email, own);
  own.clock.advance(2 * MINUTE);
  expect(outcome(await present(later.otpId, later.code, {}, own))).toEqual(INVALID);
  await own.stop();
});
