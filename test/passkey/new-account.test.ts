/**
 * Accounts without a password: created with a passkey, kept usable, and given a password later. The
 * sign-in methods are one notion: whatever is removed, the last one stays (W08).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';
import { assert, create } from '../support/authenticator.ts';
import type { CreationLies, MadeCredential } from '../support/authenticator.ts';
import { answer, claimsOf, enrolIn } from '../support/mfa.ts';
import { addPasskey, signIn } from './story.ts';

const MINUTE = 60_000;
let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({ config: '[otp.email]\nenabled = true\n' });
});
afterAll(() => app.stop());

let counter = 0;
const newName = (): string => `keyholder${++counter}`;
const outcome = ({ status, body }: Reply) => [status, body.code];

interface Begun {
  readonly challenge_id: string;
  readonly options: { challenge: string; user: { id: string; name: string } };
}
const options = async (body: object, own: TestApp = app): Promise<Begun> => {
  const reply = await own.call('POST', '/register/passkey/options', { body });
  expect(reply.status).toBe(200);
  return reply.body;
};

/** Registers with a passkey; the answer as it came. */
async function register(
  name: { username?: string; email?: string },
  { lies = {}, extra = {}, own = app }: { lies?: CreationLies; extra?: object; own?: TestApp } = {},
): Promise<{ made: MadeCredential; reply: Reply; begun: Begun }> {
  const begun = await options(name, own);
  const { made, credential } = create(begun.options, lies);
  const passkey = { challenge_id: begun.challenge_id, credential };
  const reply = await own.call('POST', '/register', { body: { ...name, passkey, ...extra } });
  return { made, reply, begun };
}

async function keyholder(own: TestApp = app): Promise<{
  username: string;
  made: MadeCredential;
  access: string;
  id: string;
  codes: readonly string[];
}> {
  const username = newName();
  const { made, reply } = await register({ username }, { own });
  expect([reply.status, reply.body.code]).toEqual([201, undefined]);
  const { user, access_token: access, recovery_codes: codes } = reply.body;
  return { username, made, access, id: user.id, codes };
}

const passkeyIds = async (access: string, own: TestApp = app): Promise<string[]> => {
  const { body } = await own.call('GET', '/me/factors', { token: access });
  return body.passkeys.map(({ id }: { id: string }) => id);
};

describe('with a username', () => {
  test('signs in at aal2 at once, has ten recovery codes, and the passkey names the account', async () => {
    const username = newName();
    const { made, reply, begun } = await register({ username }, { extra: { display_name: 'K' } });
    expect(reply.status).toBe(201);
    expect(reply.body).toMatchObject({
      status: 'authenticated',
      user: { username, display_name: 'K', mfa_enabled: true },
    });
    expect(reply.body.recovery_codes).toHaveLength(10);
    const { amr, acr, sub } = claimsOf(reply.body.access_token);
    expect([amr, acr]).toEqual([['hwk', 'user', 'mfa'], 'aal2']);
    const handle = Buffer.from(begun.options.user.id, 'base64url').toString('hex');
    expect([handle, begun.options.user.name]).toEqual([String(sub).replaceAll('-', ''), username]);
    const again = await signIn(app, made);
    expect(again.body.status).toBe('authenticated');
    expect(claimsOf(again.body.access_token)['sub']).toBe(sub);
    expect((await app.login(username)).status).toBe(401);
  });

  test('without user verification it is one factor, and no password can be asked for', async () => {
    const username = newName();
    const { made, reply } = await register({ username }, { lies: { uv: false } });
    expect(claimsOf(reply.body.access_token)['acr']).toBe('aal1');
    const again = await signIn(app, made, { uv: false });
    expect(again.body.status).toBe('authenticated');
  });

  test('a taken name, and a credential that an account has, are refused', async () => {
    const { username } = await app.register();
    expect(outcome((await register({ username })).reply)).toEqual([409, 'username_taken']);
    const { made } = await keyholder();
    const lies = { id: Buffer.from(made.id, 'base64url') };
    const { reply } = await register({ username: newName() }, { lies });
    expect(outcome(reply)).toEqual([409, 'passkey_registered']);
  });

  test('of fifty answers to one challenge one creates an account', async () => {
    const username = newName();
    const begun = await options({ username });
    const { credential } = create(begun.options);
    const body = { username, passkey: { challenge_id: begun.challenge_id, credential } };
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => app.call('POST', '/register', { body })),
    );
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
  });

  test('W01, W05: a challenge of another name, another ceremony, too late or made up; a page elsewhere', async () => {
    const send = async (begun: Begun, body: object, lies: CreationLies = {}): Promise<unknown> => {
      const { credential } = create(begun.options, lies);
      const passkey = { challenge_id: begun.challenge_id, credential };
      const reply = await app.call('POST', '/register', { body: { ...body, passkey } });
      return [reply.status, reply.body.errors?.[0]?.pointer, reply.body.errors?.[0]?.code];
    };
    const over = [422, '/passkey/challenge_id', 'spent_or_expired'];
    const username = newName();
    expect(await send(await options({ username }), { username: newName() })).toEqual(over);
    const asEmail = await options({ email: 'other@example.com' });
    expect(await send(asEmail, { username })).toEqual(over);
    const { access } = await app.register();
    const adding = (await app.call('POST', '/me/passkeys/options', { token: access })).body;
    expect(await send(adding, { username })).toEqual(over);
    const late = await options({ username });
    app.clock.advance(6 * MINUTE);
    expect(await send(late, { username })).toEqual(over);
    expect(await send({ ...late, challenge_id: 'x.y.z' }, { username })).toEqual(over);
    const foreign = { origin: 'https://evil.example.com' };
    expect(await send(await options({ username }), { username }, foreign)).toEqual([
      422,
      '/passkey/credential',
      'origin_not_allowed',
    ]);
    const other = { challenge: 'AAAA' };
    expect(await send(await options({ username }), { username }, other)).toEqual([
      422,
      '/passkey/credential',
      'not_verified',
    ]);
    // And its challenge is good for nothing else.
    const begun = await options({ username });
    const { made } = await keyholder();
    const reply = await app.call('POST', '/login/passkey', {
      body: { challenge_id: begun.challenge_id, credential: assert(made, begun.options) },
    });
    expect(outcome(reply)).toEqual([401, 'invalid_credentials']);
  });

  test('a password and a passkey are one too many, and neither is too little', async () => {
    const username = newName();
    const { reply } = await register({ username }, { extra: { password: PASSWORD } });
    expect([reply.status, reply.body.errors[0].code]).toEqual([422, 'too_many']);
    const none = await app.call('POST', '/register', { body: { username } });
    expect([none.status, none.body.errors[0]]).toMatchObject([
      422,
      { pointer: '/password', code: 'required' },
    ]);
    const nameless = await app.call('POST', '/register/passkey/options', { body: {} });
    expect(nameless.body.errors[0].code).toBe('required');
  });

  test('is not begun where registration is closed, and has no username where there are none', async () => {
    const closed = await createTestApp({ config: '[registration]\nenabled = false\n' });
    const refused = await closed.call('POST', '/register/passkey/options', { body: {} });
    expect(refused.status).toBe(404);
    await closed.stop();
    const own = await createTestApp({ config: '[registration]\nusernames = false\n' });
    const body = { username: 'ada' };
    const named = await own.call('POST', '/register/passkey/options', { body });
    expect(named.body.errors[0].code).toBe('unknown_member');
    const { reply } = await register({ email: 'ada@example.com' }, { own });
    expect(reply.body.status).toBe('verification_required');
    await own.stop();
  });
});

describe('with an address', () => {
  const codeTo = async (email: string): Promise<string> =>
    (await app.emails(email)).at(-1)?.values['code'] ?? '';
  const verify = (registrationId: string, code: string) =>
    app.call('POST', '/register/verify', { body: { registration_id: registrationId, code } });

  test('the code of the email creates the account, the passkey and the recovery codes', async () => {
    const email = `${newName()}@example.com`;
    const { made, reply } = await register({ email });
    expect([reply.status, reply.body.status]).toEqual([202, 'verification_required']);
    const done = await verify(reply.body.registration_id, await codeTo(email));
    expect(done.status).toBe(201);
    expect(done.body.user).toMatchObject({ email, email_verified: true, mfa_enabled: true });
    expect(done.body.recovery_codes).toHaveLength(10);
    // The passkey was used when it began; what came back now is a code.
    expect(claimsOf(done.body.access_token)).toMatchObject({ amr: ['otp'], acr: 'aal1' });
    const again = await signIn(app, made, {}, email);
    expect(claimsOf(again.body.access_token)).toMatchObject({
      sub: done.body.user.id,
      acr: 'aal2',
    });
  });

  test('E02: free and taken addresses get one answer; the email has a code and no link, again when it is sent again', async () => {
    const email = `${newName()}@example.com`;
    const free = await register({ email });
    const [mail] = await app.emails(email);
    expect([mail?.template, mail?.values['link'], mail?.values['token']]).toEqual([
      'verify_registration_code',
      undefined,
      undefined,
    ]);
    await verify(free.reply.body.registration_id, mail?.values['code'] ?? '');
    app.clock.advance(2 * MINUTE);
    const taken = await register({ email });
    expect([taken.reply.status, Object.keys(taken.reply.body)]).toEqual([
      free.reply.status,
      Object.keys(free.reply.body),
    ]);
    expect((await app.emails(email)).at(-1)?.template).toBe('account_exists');
    const next = `${newName()}@example.com`;
    const begun = await register({ email: next });
    app.clock.advance(2 * MINUTE);
    const body = { registration_id: begun.reply.body.registration_id };
    expect((await app.call('POST', '/register/resend', { body })).status).toBe(202);
    expect((await app.emails(next)).at(-1)).toMatchObject({ template: 'verify_registration_code' });
  });

  test('a credential that an account got meanwhile is refused when the code comes back', async () => {
    const email = `${newName()}@example.com`;
    const { made, reply } = await register({ email });
    const code = await codeTo(email);
    const lies = { id: Buffer.from(made.id, 'base64url') };
    expect((await register({ username: newName() }, { lies })).reply.status).toBe(201);
    const done = await verify(reply.body.registration_id, code);
    expect(outcome(done)).toEqual([409, 'passkey_registered']);
  });

  test('R07: who registered a victim’s address with a passkey has nothing when the victim verifies it', async () => {
    const email = `${newName()}@example.com`;
    const attacker = await register({ email });
    app.clock.advance(2 * MINUTE);
    const begun = await app.call('POST', '/register', { body: { email, password: PASSWORD } });
    expect((await verify(begun.body.registration_id, await codeTo(email))).status).toBe(201);
    expect(outcome(await signIn(app, attacker.made))).toEqual([401, 'invalid_credentials']);
  });
});

describe('without a password', () => {
  test('the account authenticates again by its passkey, and adds a password from a fresh session', async () => {
    const { made, access, username } = await keyholder();
    const other = (await signIn(app, made)).body.access_token;
    app.clock.advance(6 * MINUTE);
    const body = { new_password: PASSWORD };
    const stale = await app.call('POST', '/me/password', { token: access, body });
    expect(outcome(stale)).toEqual([401, 'insufficient_user_authentication']);
    const begun = await app.call('POST', '/reauthenticate/passkey/options', { token: access });
    const again = await app.call('POST', '/reauthenticate', {
      token: access,
      body: {
        passkey: {
          challenge_id: begun.body.challenge_id,
          credential: assert(made, begun.body.options),
        },
      },
    });
    expect(again.status).toBe(200);
    const token = again.body.access_token;
    const weak = await app.call('POST', '/me/password', { token, body: { new_password: 'short' } });
    expect(weak.status).toBe(422);
    expect((await app.call('POST', '/me/password', { token, body })).status).toBe(204);
    expect((await app.call('GET', '/me', { token: other })).status).toBe(401);
    const signedIn = await app.login(username);
    expect(signedIn.body.factors).toContain('passkey');
    const second = await app.call('POST', '/me/password', { token, body });
    expect([second.status, second.body.errors[0].code]).toEqual([422, 'required']);
  });

  test('of fifty passwords added at once one is', async () => {
    const { access } = await keyholder();
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        app.call('POST', '/me/password', {
          token: access,
          body: { new_password: `horse number ${n} battery staple` },
        }),
      ),
    );
    expect(replies.filter(({ status }) => status === 204)).toHaveLength(1);
  });

  test('a user with only an address authenticates again by a code to it; of another address, or for a user with a second factor, it is not enough', async () => {
    const own = await createTestApp({
      config: '[otp]\nauto_register = true\n[otp.email]\nenabled = true\n',
    });
    const sent = async (email: string) => {
      own.clock.advance(2 * MINUTE);
      const { body } = await own.call('POST', '/login/otp', { body: { email } });
      const code = (await own.emails(email)).at(-1)?.values['code'];
      return { otp_id: body.otp_id, code };
    };
    const begin = async (email: string): Promise<string> => {
      const body = await sent(email);
      return (await own.call('POST', '/login/otp/verify', { body })).body.access_token;
    };
    const [ada, eve] = ['ada@example.com', 'eve@example.com'];
    const token = await begin(ada);
    await begin(eve);
    own.clock.advance(6 * MINUTE);
    const body = { new_password: PASSWORD };
    expect((await own.call('POST', '/me/password', { token, body })).status).toBe(401);
    const again = (given: object, access = token) =>
      own.call('POST', '/reauthenticate', { token: access, body: { email_code: given } });
    expect(outcome(await again(await sent(eve)))).toEqual([422, 'invalid_code']);
    const wrong = { ...(await sent(ada)), code: 'wrong' };
    expect(outcome(await again(wrong))).toEqual([422, 'invalid_code']);
    const code = await sent(ada);
    const done = await again(code);
    expect(claimsOf(done.body.access_token)).toMatchObject({ amr: ['otp'], acr: 'aal1' });
    expect(outcome(await again(code))).toEqual([422, 'invalid_code']);
    const fresh = done.body.access_token;
    expect((await own.call('POST', '/me/password', { token: fresh, body })).status).toBe(204);
    // A password and a mailbox are one factor: whoever has the mailbox can reset the password.
    const login = (await own.login(ada)).body.access_token;
    const both = await again(await sent(ada), login);
    expect(claimsOf(both.body.access_token)).toMatchObject({ amr: ['pwd'], acr: 'aal1' });
    const renewed = both.body.access_token;
    await enrolIn(own, renewed);
    expect(outcome(await again(await sent(ada), renewed))).toEqual([
      401,
      'insufficient_user_authentication',
    ]);
    await own.stop();
  });
});

describe('W08: the last way to sign in stays', () => {
  const remove = (access: string, id: string) =>
    app.call('DELETE', `/me/passkeys/${id}`, { token: access });

  test('the only passkey; after a second one, a password or a verified address, it goes', async () => {
    const { access } = await keyholder();
    const [first = ''] = await passkeyIds(access);
    expect(outcome(await remove(access, first))).toEqual([409, 'last_sign_in_method']);
    const { id: second } = await addPasskey(app, { access });
    expect((await remove(access, first)).status).toBe(204);
    expect(outcome(await remove(access, second))).toEqual([409, 'last_sign_in_method']);
    const body = { new_password: PASSWORD };
    expect((await app.call('POST', '/me/password', { token: access, body })).status).toBe(204);
    expect((await remove(access, second)).status).toBe(204);
  });

  test('a verified address counts where codes by email are on, and nowhere else', async () => {
    const own = await createTestApp();
    for (const [place, expected] of [
      [app, 204],
      [own, 409],
    ] as const) {
      const email = `${newName()}@example.com`;
      const { reply } = await register({ email }, { own: place });
      const code = (await place.emails(email)).at(-1)?.values['code'];
      const body = { registration_id: reply.body.registration_id, code };
      const done = await place.call('POST', '/register/verify', { body });
      const token = done.body.access_token;
      const [id] = await passkeyIds(token, place);
      expect((await place.call('DELETE', `/me/passkeys/${id}`, { token })).status).toBe(expected);
    }
    await own.stop();
  });

  test('of two passkeys removed at once, in twenty rounds, one always stays', async () => {
    for (let round = 0; round < 20; round++) {
      const { access } = await keyholder();
      const { id: second } = await addPasskey(app, { access });
      const [first = ''] = await passkeyIds(access);
      const replies = await Promise.all([remove(access, first), remove(access, second)]);
      expect(replies.filter(({ status }) => status === 204).length).toBeLessThanOrEqual(1);
      expect((await passkeyIds(access)).length).toBeGreaterThanOrEqual(1);
    }
  });

  test('an operator who removes all second factors leaves it too', async () => {
    const { id, made } = await keyholder();
    const owner = { id, email: null } as Parameters<typeof app.kernel.factors.removeAll>[1];
    expect(await app.kernel.factors.removeAll(operator, owner)).toEqual(['passkey']);
    expect((await signIn(app, made)).body.status).toBe('authenticated');
    expect(await app.kernel.signInMethods.ofUser(id)).toEqual(['passkey']);
  });
});

describe('a lost passkey: POST /login/recovery-code', () => {
  const recover = (username: string, code: string, extra: object = {}) =>
    app.call('POST', '/login/recovery-code', {
      body: { username, recovery_code: code, ...extra },
    });

  test('signs in once as one factor, and a new passkey is added from there', async () => {
    const { username, codes } = await keyholder();
    const done = await recover(username, codes[0] ?? '');
    expect(claimsOf(done.body.access_token)).toMatchObject({ amr: ['otp'], acr: 'aal1' });
    expect(outcome(await recover(username, codes[0] ?? ''))).toEqual([401, 'invalid_credentials']);
    const { made } = await addPasskey(app, { access: done.body.access_token });
    expect((await signIn(app, made)).body.status).toBe('authenticated');
  });

  test('of an account with a password it is half of the sign-in', async () => {
    const { username, access, codes } = await keyholder();
    const body = { new_password: PASSWORD };
    await app.call('POST', '/me/password', { token: access, body });
    const begun = await recover(username, codes[0] ?? '');
    expect(begun.body).toMatchObject({ status: 'mfa_required', factors: ['password'] });
    const done = await answer(app, begun.body.challenge_token, { password: PASSWORD });
    expect(claimsOf(done.body.access_token)['acr']).toBe('aal2');
  });

  test('begins nothing for an account whose codes stand for an authenticator app', async () => {
    const { username, access } = await app.register();
    const { recoveryCodes } = await enrolIn(app, access);
    const refused = await recover(username, recoveryCodes[0] ?? '');
    expect(outcome(refused)).toEqual([401, 'invalid_credentials']);
  });

  test('E01, E05: unknown, without codes, wrong, disabled: one answer, and one limit', async () => {
    const known = await keyholder();
    const disabled = await keyholder();
    await app.kernel.accountState.disable(operator, disabled.id);
    const { username: plain } = await app.register();
    const seen: string[][] = [];
    for (const name of [known.username, disabled.username, plain, newName(), 'no name @', '']) {
      const steps: string[] = [];
      for (let n = 0; n < 13; n++) {
        const { status, body } = await recover(name, 'aaaa-aaaa-aaaa-aaaa');
        steps.push(`${status} ${body.code} ${body.detail}`);
      }
      seen.push(steps);
    }
    for (const one of seen) expect(one).toEqual(seen[0]);
    expect(seen[0]?.at(-1)).toContain('too_many_attempts');
  });

  test('L02: strangers who use up its tries lock nothing else of the account', async () => {
    const { username, made, access } = await keyholder();
    const body = { new_password: PASSWORD };
    await app.call('POST', '/me/password', { token: access, body });
    for (let n = 0; n < 13; n++) await recover(username, 'aaaa-aaaa-aaaa-aaaa');
    const begun = await app.login(username);
    const token = begun.body.challenge_token;
    const second = await app.call('POST', '/login/mfa/passkey/options', {
      body: { challenge_token: token },
    });
    const { challenge_id, options: asked } = second.body;
    const done = await answer(app, token, {
      passkey: { challenge_id, credential: assert(made, asked) },
    });
    expect(done.body.status).toBe('authenticated');
  });

  test('a known device has tries of its own, and is still one afterwards', async () => {
    const { username, made, codes } = await keyholder();
    const device = (await signIn(app, made)).body.device_token;
    for (let n = 0; n < 13; n++) await recover(username, 'aaaa-aaaa-aaaa-aaaa');
    const done = await recover(username, codes[0] ?? '', { device_token: device });
    expect(done.body.device_token).toBe(device);
  });

  test('is followed by what the policies demand, and goes where it is allowed to', async () => {
    const { username, id, codes } = await keyholder();
    const [one = '', two = '', three = ''] = codes;
    const elsewhere = { resource: 'https://nowhere.example.com' };
    expect(outcome(await recover(username, one, elsewhere))).toEqual([400, 'invalid_target']);
    const busy = await app.whileHashQueueIsFull(() => recover(username, one));
    expect(outcome(busy)).toEqual([503, 'overloaded']);
    const cookie = await recover(username, one, { cookie: true });
    expect(cookie.body.errors[0].code).toBe('not_enabled');
    const set = (column: string, value: number | null) =>
      app.db.write([
        {
          sql: `UPDATE user SET ${column} = ? WHERE id = ?`,
          params: [value, id],
          map: () => [],
          returns: false,
        },
      ]);
    await set('password_change_required_at', 1);
    expect(outcome(await recover(username, two))).toEqual([403, 'password_change_required']);
    await set('password_change_required_at', null);
    await set('disabled_at', 1);
    expect(outcome(await recover(username, three))).toEqual([403, 'account_disabled']);
  });

  test('gives a cookie only to a page that may have one', async () => {
    const config = '[cookies]\nenabled = true\nallowed_origins = ["https://app.example.com"]\n';
    const own = await createTestApp({ config });
    const { username, codes } = await keyholder(own);
    const body = { username, recovery_code: codes[0], cookie: true };
    const refused = await own.call('POST', '/login/recovery-code', { body });
    expect(outcome(refused)).toEqual([403, 'origin_not_allowed']);
    await own.stop();
  });
});
