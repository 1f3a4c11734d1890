/** The telephone number of an account: which are taken, how one is verified, what follows (G9, E02). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { makeKey } from '../support/api-key.ts';
import { wrongCode } from '../support/mfa.ts';
import {
  INVALID,
  MINUTE,
  SMS,
  codeOf,
  newNumber,
  outcome,
  owner,
  setPhone,
  verifyPhone,
} from './rig.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    config: `${SMS}max_unverified = 1000\n[admin]\nenabled = true\n`,
  });
});
afterAll(() => app.stop());

const me = async (token: string) => (await app.call('GET', '/me', { token })).body;
const fault = ({ status, body }: { status: number; body: { errors?: { code: string }[] } }) => [
  status,
  body.errors?.[0]?.code,
];

describe('a number', () => {
  test('is not asked for where no country is served', async () => {
    const own = await createTestApp();
    const { access } = await own.register();
    expect((await setPhone(own, access, newNumber())).status).toBe(404);
    expect((await own.call('DELETE', '/me/phone', { token: access })).status).toBe(404);
    await own.stop();
  });

  test('that costs its caller, or is no mobile number of a served country, is refused', async () => {
    const { access } = await app.register();
    const refused = {
      '+4930123456': 'not_mobile',
      '+498001234567': 'not_mobile',
      '+491801234567': 'not_mobile',
      '+4932123456789': 'not_mobile',
      '+447640123456': 'country_not_served',
      '+33612345678': 'country_not_served',
      '+49900123456': 'invalid_phone',
      '+88213123456': 'invalid_phone',
      '+4915': 'invalid_phone',
      '0151 20000000': 'invalid_phone',
      '+49151200000000000': 'invalid_phone',
      '+49 151 2000000;ext=5': 'invalid_phone',
      '': 'invalid_phone',
    };
    for (const [phone, code] of Object.entries(refused))
      expect([phone, fault(await setPhone(app, access, phone))]).toEqual([phone, [422, code]]);
    expect((await setPhone(app, access, '+1 (202) 555-0123')).status).toBe(202);
    expect(await me(access)).toMatchObject({ phone: '+12025550123', phone_verified: false });
  });

  test('is verified by the code of the request, and its user is notified', async () => {
    const email = 'phone.owner@example.com';
    const begun = await app.call('POST', '/register', { body: { email, password: PASSWORD } });
    const { body } = await app.call('POST', '/register/verify', {
      body: {
        registration_id: begun.body.registration_id,
        code: codeOf(await app.emails(email)),
      },
    });
    const token = body.access_token;
    const other = await app.call('POST', '/login', {
      body: { username: email, password: PASSWORD },
    });
    const phone = newNumber();
    const asked = await setPhone(app, token, phone.replace('+49', '+49 '));
    expect([asked.status, asked.body.expires_in]).toEqual([202, 600]);
    expect(await me(token)).toMatchObject({ phone, phone_verified: false });
    const [text] = await app.texts(phone);
    expect([text?.template, text?.domain]).toEqual(['sms_phone_code', 'DE']);
    const code = text?.values['code'] ?? '';
    expect(outcome(await verifyPhone(app, token, 'another-request', code))).toEqual(INVALID);
    const done = await verifyPhone(app, token, asked.body.otp_id, code);
    expect(done.body).toMatchObject({ phone, phone_verified: true });
    expect(done.headers.get('postern-device-token') ?? done.body.device_token).not.toBe('');
    expect(outcome(await app.call('GET', '/me', { token: other.body.access_token }))).toEqual([
      401,
      'session_revoked',
    ]);
    const [notice] = await app.emails(email);
    expect([notice?.template, notice?.values['factor']]).toEqual([
      'factor_added',
      `the telephone number ending in ${phone.slice(-3)}`,
    ]);
    expect(outcome(await verifyPhone(app, token, asked.body.otp_id, code))).toEqual(INVALID);
    expect((await app.call('DELETE', '/me/phone', { token })).status).toBe(204);
    expect((await app.emails(email))[0]?.template).toBe('factor_removed');
    expect(await me(token)).toMatchObject({ phone: null, phone_verified: false });
    expect(outcome(await app.call('DELETE', '/me/phone', { token }))).toEqual([404, 'not_found']);
  });

  test('signs in with the password once it is verified; unverified it reserves nothing, and who proves it second learns that it is taken (E02)', async () => {
    const phone = newNumber();
    const [first, second] = [await app.register(), await app.register()];
    const one = await setPhone(app, first.access, phone);
    const own = codeOf(await app.texts(phone));
    app.clock.advance(2 * MINUTE);
    const two = await setPhone(app, second.access, phone);
    expect({ ...two.body, otp_id: '' }).toEqual({ ...one.body, otp_id: '' });
    const others = codeOf(await app.texts(phone));
    expect((await app.login(phone)).status).toBe(401);
    expect((await verifyPhone(app, first.access, one.body.otp_id, own)).status).toBe(200);
    // The code of one account is worth nothing to another.
    expect(outcome(await verifyPhone(app, first.access, two.body.otp_id, others))).toEqual(INVALID);
    expect(outcome(await verifyPhone(app, second.access, two.body.otp_id, others))).toEqual([
      409,
      'phone_taken',
    ]);
    expect((await app.login(phone)).status).toBe(200);
    expect(await me(second.access)).toMatchObject({ phone, phone_verified: false });
    const both = await Promise.all([setPhone(app, second.access, newNumber()), me(second.access)]);
    expect(both[0].status).toBe(202);
  });

  test('of two accounts at once one verifies it', async () => {
    const phone = newNumber();
    const users = [await app.register(), await app.register()];
    const codes: string[][] = [];
    for (const { access } of users) {
      const { body } = await setPhone(app, access, phone);
      codes.push([access, body.otp_id, codeOf(await app.texts(phone))]);
      app.clock.advance(2 * MINUTE);
    }
    const replies = await Promise.all(
      codes.map(([access = '', id = '', code = '']) => verifyPhone(app, access, id, code)),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 409]);
  });

  test('is changed only in a session that is fresh, and removed only if another way to sign in stays', async () => {
    const { access, id, phone } = await owner(app);
    app.clock.advance(20 * MINUTE);
    for (const reply of [
      await setPhone(app, access, newNumber()),
      await app.call('DELETE', '/me/phone', { token: access }),
    ])
      expect(reply.status).toBe(401);
    const again = await app.login(phone);
    const token = again.body.access_token;
    await app.db.write([
      {
        sql: 'UPDATE user SET username = NULL, username_canonical = NULL WHERE id = ?',
        params: [id],
        map: () => [],
        returns: false,
      },
    ]);
    expect(outcome(await app.call('DELETE', '/me/phone', { token }))).toEqual([
      409,
      'last_sign_in_method',
    ]);
  });

  test('is with the account: shown to operators, and in no unsent message after its deletion', async () => {
    const { access, id, phone } = await owner(app);
    const { basic: headers } = await makeKey(app, 'phones', { scopes: ['admin'] });
    const shown = await app.call('GET', `/admin/users/${id}`, { headers });
    expect(shown.body).toMatchObject({ phone, phone_verified: true, obstacles: [] });
    await setPhone(app, access, newNumber());
    app.clock.advance(2 * MINUTE);
    expect((await app.call('DELETE', '/me', { token: access })).status).toBe(204);
    const rows = await app.db.read({
      sql: 'SELECT count(*) FROM outbox WHERE recipient = ? OR id IN (SELECT id FROM one_time WHERE user_id = ?)',
      params: [phone, id],
      map: (found) => found.map(([n]) => Number(n)),
      returns: true,
    });
    expect(rows).toEqual([0]);
    expect((await app.login(phone)).status).toBe(401);
  });
});

describe('the code', () => {
  test('O06: five tries, whatever the parallelism; then the right one is refused', async () => {
    const { access } = await app.register();
    const phone = newNumber();
    const { body } = await setPhone(app, access, phone);
    const code = codeOf(await app.texts(phone));
    const guess = wrongCode(code);
    await Promise.all(
      Array.from({ length: 20 }, () => verifyPhone(app, access, body.otp_id, guess)),
    );
    expect(outcome(await verifyPhone(app, access, body.otp_id, code))).not.toEqual([
      200,
      undefined,
    ]);
    expect(await me(access)).toMatchObject({ phone_verified: false });
  });

  test('O05: an older one, and one of ten minutes ago, are refused', async () => {
    const { access } = await app.register();
    const phone = newNumber();
    const first = await setPhone(app, access, phone);
    const old = codeOf(await app.texts(phone));
    app.clock.advance(2 * MINUTE);
    const second = await setPhone(app, access, phone);
    const code = codeOf(await app.texts(phone));
    expect(outcome(await verifyPhone(app, access, first.body.otp_id, old))).toEqual(INVALID);
    app.clock.advance(10 * MINUTE);
    const again = await app.login(`${(await me(access)).username ?? ''}`);
    const token = again.body.access_token ?? access;
    expect(outcome(await verifyPhone(app, token, second.body.otp_id, code))).toEqual(INVALID);
  });

  test('goes to six numbers a day for one account', async () => {
    const { access } = await app.register();
    const sent: number[] = [];
    for (let n = 0; n < 9; n++) {
      const phone = newNumber();
      expect((await setPhone(app, access, phone)).status).toBe(202);
      sent.push((await app.texts(phone)).length);
    }
    expect(sent.reduce((sum, n) => sum + n, 0)).toBe(6);
  });
});
