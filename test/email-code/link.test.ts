/**
 * Signing in with the link beside the code: on the device that asked, by POST alone, once (O05, R01,
 * ASVS 6.6.2).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';
import { answer, claimsOf, enrolIn } from '../support/mfa.ts';

const ON = '[otp]\nlink = true\n[otp.email]\nenabled = true\n';
const MINUTE = 60_000;

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    config: `${ON}[mail]\nsign_in_url = "https://app.example.com/sign-in"\n`,
  });
});
afterAll(() => app.stop());

let counter = 0;
const newAddress = (): string => `visitor${++counter}@example.com`;
const outcome = ({ status, body }: Reply) => [status, body.code];
const OVER = [410, 'token_spent_or_expired'];

async function visitor(own: TestApp = app): Promise<{ email: string; id: string; access: string }> {
  const email = newAddress();
  const begun = await own.call('POST', '/register', { body: { email, password: PASSWORD } });
  const code = (await own.emails(email))[0]?.values['code'];
  const body = { registration_id: begun.body.registration_id, code };
  const done = await own.call('POST', '/register/verify', { body });
  return { email, id: done.body.user.id, access: done.body.access_token };
}

interface Sent {
  readonly otpId: string;
  readonly code: string;
  readonly link: URL;
  readonly token: string;
}

/** Asks on this device; what the email has. */
async function sent(email: string, own: TestApp = app): Promise<Sent> {
  const { body } = await own.call('POST', '/login/otp', { body: { email } });
  const mail = (await own.emails(email)).findLast(({ template }) => template === 'sign_in_link');
  const link = new URL(mail?.values['link'] ?? 'https://no.example.com');
  const token = new URLSearchParams(link.hash.slice(1)).get('token') ?? '';
  return { otpId: body.otp_id, code: mail?.values['code'] ?? '', link, token };
}

const open = (token: string, otpId?: string, extra: object = {}, own: TestApp = app) =>
  own.call('POST', '/login/link', {
    body: { token, ...(otpId === undefined ? {} : { otp_id: otpId }), ...extra },
  });
const type = (otpId: string, code: string, own: TestApp = app) =>
  own.call('POST', '/login/otp/verify', { body: { otp_id: otpId, code } });

test('is off by default: no route, and no link in the email', async () => {
  const own = await createTestApp({ config: '[otp.email]\nenabled = true\n' });
  const { email } = await visitor(own);
  expect((await open('x', 'x', {}, own)).status).toBe(404);
  await own.call('POST', '/login/otp', { body: { email } });
  const mail = (await own.emails(email)).at(-1);
  expect([mail?.template, mail?.values['link']]).toEqual(['sign_in_code', undefined]);
  await own.stop();
});

describe('a link', () => {
  test('leads to the configured page, with the token in the fragment, and a code is beside it', async () => {
    const { email } = await visitor();
    const { link, code, token } = await sent(email);
    expect([link.origin, link.pathname, link.search]).toEqual([
      'https://app.example.com',
      '/sign-in',
      '',
    ]);
    expect([code, token]).toEqual([
      expect.stringMatching(/^\d{6}$/),
      expect.stringMatching(/^[\w-]{43}$/),
    ]);
    const stored = await app.db.read({
      sql: "SELECT group_concat(token_hash || code_hash || id) FROM one_time WHERE purpose = 'sign_in'",
      params: [],
      map: (rows) => rows.map(([text]) => String(text)),
      returns: true,
    });
    expect(stored.join().includes(token)).toBe(false);
  });

  test('R02: is the same whatever host the request names', async () => {
    const { email } = await visitor();
    await app.call('POST', '/login/otp', {
      body: { email },
      headers: { 'x-forwarded-host': 'evil.example.com', forwarded: 'host=evil.example.com' },
    });
    const link = (await app.emails(email)).at(-1)?.values['link'] ?? '';
    expect(new URL(link).host).toBe('app.example.com');
  });

  test('signs in on the device that asked, once, as one factor of the lowest level', async () => {
    const { email, id } = await visitor();
    const { token, otpId, code } = await sent(email);
    const done = await open(token, otpId);
    expect(claimsOf(done.body.access_token)).toMatchObject({ sub: id, amr: ['otp'], acr: 'aal1' });
    expect(outcome(await open(token, otpId))).toEqual(OVER);
    expect(outcome(await type(otpId, code))).toEqual([422, 'invalid_code']);
  });

  test('O10: opened on another device asks for the code instead, and stays good', async () => {
    const { email } = await visitor();
    const [asked, other] = [await sent(email), await sent((await visitor()).email)];
    for (const otpId of [undefined, 'x', other.otpId, asked.otpId.slice(0, -1)])
      expect(outcome(await open(asked.token, otpId))).toEqual([409, 'other_device']);
    expect((await open(asked.token, asked.otpId)).body.status).toBe('authenticated');
    const again = await visitor();
    const second = await sent(again.email);
    expect(outcome(await open(second.token))).toEqual([409, 'other_device']);
    expect((await type(second.otpId, second.code)).body.status).toBe('authenticated');
    expect(outcome(await open(second.token, second.otpId))).toEqual(OVER);
  });

  test('R01: one of fifty at once succeeds, links and codes together', async () => {
    for (let round = 0; round < 3; round++) {
      const { email } = await visitor();
      const { token, otpId, code } = await sent(email);
      const replies = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          n % 10 === 9 ? type(otpId, code) : open(token, otpId),
        ),
      );
      expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    }
  });

  test('O10: GET and HEAD spend nothing: what scans mail signs nobody in', async () => {
    const { email } = await visitor();
    const { token, otpId } = await sent(email);
    for (const method of ['GET', 'HEAD']) {
      const reply = await fetch(`${app.url}/login/link?token=${token}&otp_id=${otpId}`, { method });
      expect([method, reply.status]).toEqual([method, 405]);
    }
    expect((await open(token, otpId)).status).toBe(200);
  });

  test('O05: an older one, a late one, one for another purpose, and after five wrong codes', async () => {
    const { email } = await visitor();
    const older = await sent(email);
    app.clock.advance(2 * MINUTE);
    const newer = await sent(email);
    expect(outcome(await open(older.token, older.otpId))).toEqual(OVER);
    const check = await app.call('POST', '/password/reset/check', { body: { token: newer.token } });
    expect(outcome(check)).toEqual(OVER);
    app.clock.advance(10 * MINUTE);
    expect(outcome(await open(newer.token, newer.otpId))).toEqual(OVER);
    await app.call('POST', '/password/forgot', { body: { username: email } });
    const reset = (await app.emails(email)).at(-1)?.values['token'] ?? '';
    expect(outcome(await open(reset, 'x'))).toEqual(OVER);
    const tried = await sent(email);
    for (let n = 0; n < 5; n++) await type(tried.otpId, 'wrong');
    // Wrong codes are guesses at the code; nobody guesses the link.
    expect((await open(tried.token, tried.otpId)).status).toBe(200);
  });

  test('is void after a change of the password, and for a disabled account', async () => {
    const { email, id, access } = await visitor();
    const before = await sent(email);
    const change = { current_password: PASSWORD, new_password: 'another horse battery staple' };
    await app.call('POST', '/me/password', { token: access, body: change });
    expect(outcome(await open(before.token, before.otpId))).toEqual(OVER);
    app.clock.advance(2 * MINUTE);
    const later = await sent(email);
    const set = (column: string) =>
      app.db.write([
        {
          sql: `UPDATE user SET ${column} = 1 WHERE id = ?`,
          params: [id],
          map: () => [],
          returns: false,
        },
      ]);
    await set('password_change_required_at');
    expect(outcome(await open(later.token, later.otpId))).toEqual([
      403,
      'password_change_required',
    ]);
    app.clock.advance(2 * MINUTE);
    const last = await sent(email);
    await set('disabled_at');
    expect(outcome(await open(last.token, last.otpId))).toEqual([403, 'account_disabled']);
  });

  test('comes before the second factor that the account has', async () => {
    const { email, access } = await visitor();
    const { code: totp } = await enrolIn(app, access);
    const { token, otpId } = await sent(email);
    const begun = await open(token, otpId);
    expect(begun.body).toMatchObject({ status: 'mfa_required' });
    const done = await answer(app, begun.body.challenge_token, { totp: totp() });
    expect(claimsOf(done.body.access_token)['acr']).toBe('aal2');
  });

  test('is a known device afterwards too, goes to one audience, and to a cookie only where that is allowed', async () => {
    const config = `${ON}[cookies]\nenabled = true\nallowed_origins = ["https://app.example.com"]\n`;
    const own = await createTestApp({ config });
    const { email } = await visitor(own);
    const device = (await own.login(email)).body.device_token;
    const { token, otpId } = await sent(email, own);
    const elsewhere = { resource: 'https://nowhere.example.com' };
    expect(outcome(await open(token, otpId, elsewhere, own))).toEqual([400, 'invalid_target']);
    const cookie = await open(token, otpId, { cookie: true }, own);
    expect(outcome(cookie)).toEqual([403, 'origin_not_allowed']);
    const done = await open(token, otpId, { device_token: device }, own);
    expect(done.body.device_token).toBe(device);
    await own.stop();
  });

  test('is followed by what the policies demand', async () => {
    const strict = await createTestApp({ config: `${ON}[mfa]\nrequired = "all"\ngrace = "10m"\n` });
    const late = await visitor(strict);
    strict.clock.advance(11 * MINUTE);
    const { token, otpId } = await sent(late.email, strict);
    expect(outcome(await open(token, otpId, {}, strict))).toEqual([403, 'mfa_enrolment_required']);
    await strict.stop();
  });

  test('E03: an address without an account gets the same answer and no email; where it may register, the link creates the account', async () => {
    const nobody = newAddress();
    const asked = await app.call('POST', '/login/otp', { body: { email: nobody } });
    expect([asked.status, Object.keys(asked.body)]).toEqual([202, ['otp_id', 'expires_in']]);
    expect(await app.emails(nobody)).toEqual([]);
    const own = await createTestApp({ config: ON.replace('link', 'auto_register = true\nlink') });
    const email = newAddress();
    const { token, otpId } = await sent(email, own);
    const done = await open(token, otpId, {}, own);
    const me = await own.call('GET', '/me', { token: done.body.access_token });
    expect(me.body).toMatchObject({ email, email_verified: true });
    await own.stop();
  });
});
