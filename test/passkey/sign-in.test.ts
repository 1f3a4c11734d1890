/** Adding passkeys and signing in with them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { RP_ID, assert, create } from '../support/authenticator.ts';
import { claimsOf } from '../support/mfa.ts';
import {
  addPasskey,
  registerByEmail,
  registrationOptions,
  signIn,
  signInOptions,
} from './story.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

describe('adding a passkey', () => {
  test('the options are those of startRegistration: 32 random bytes, the user as 16 bytes, discoverable, ES256, EdDSA and RS256', async () => {
    const user = await app.register();
    const { challenge_id, options } = await registrationOptions(app, user);
    expect(options).toEqual({
      challenge: expect.stringMatching(/^[\w-]{43}$/),
      rp: { id: RP_ID, name: 'postern' },
      user: {
        id: Buffer.from(user.userId.replaceAll('-', ''), 'hex').toString('base64url'),
        name: user.username,
        displayName: user.username,
      },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: 'public-key', alg })),
      timeout: 300_000,
      excludeCredentials: [],
      authenticatorSelection: {
        residentKey: 'required',
        requireResidentKey: true,
        userVerification: 'preferred',
      },
      attestation: 'none',
      extensions: { credProps: true },
    });
    const other = await registrationOptions(app, user);
    expect(other.options.challenge).not.toBe(options.challenge);
    expect(other.challenge_id).not.toBe(challenge_id);
  });

  test('the answer shows the passkey; the next options exclude it; /me/factors lists it with what browsers are to be signalled', async () => {
    const user = await app.register();
    const begun = await registrationOptions(app, user);
    const { made, credential } = create(begun.options, {
      be: true,
      bs: true,
      transports: ['internal', 'hybrid', 'internal', 'NOT A TRANSPORT'],
    });
    const { status, body } = await app.call('POST', '/me/passkeys', {
      token: user.access,
      body: { challenge_id: begun.challenge_id, credential, name: 'Ada’s phone' },
    });
    expect(status).toBe(201);
    const passkey = {
      id: expect.any(String),
      name: 'Ada’s phone',
      created_at: expect.any(String),
      last_used_at: null,
      backup_eligible: true,
      backed_up: true,
      transports: ['hybrid', 'internal'],
      aaguid: '00000000-0000-0000-0000-000000000000',
      clone_suspected: false,
    };
    expect(body).toEqual(passkey);
    expect((await registrationOptions(app, user)).options.excludeCredentials).toEqual([
      { type: 'public-key', id: made.id, transports: ['hybrid', 'internal'] },
    ]);
    const factors = await app.call('GET', '/me/factors', { token: user.access });
    const userId = begun.options.user.id;
    expect(factors.body).toMatchObject({
      passkeys: [passkey],
      passkey_signals: {
        all_accepted_credentials: { rpId: RP_ID, userId, allAcceptedCredentialIds: [made.id] },
        current_user_details: {
          rpId: RP_ID,
          userId,
          name: user.username,
          displayName: user.username,
        },
      },
    });
    expect((await app.call('GET', '/me', { token: user.access })).body.mfa_enabled).toBe(true);
  });

  test.each(['ES256', 'EdDSA', 'RS256'] as const)(
    '%s: added, and good for signing in',
    async (algorithm) => {
      const user = await app.register();
      const { made } = await addPasskey(app, user, { algorithm });
      const { status, body } = await signIn(app, made);
      expect([status, body.status, body.code]).toEqual([200, 'authenticated', undefined]);
      expect((await app.call('GET', '/me', { token: body.access_token })).body.id).toBe(
        user.userId,
      );
    },
  );

  test('ASVS 7.4.3, 6.3.7: the other sessions end, this one is aal2 from then on, and the owner is notified', async () => {
    const address = 'pk-added@example.com';
    const user = await registerByEmail(app, address);
    const other = (await app.login(address)).body;
    const { id } = await addPasskey(app, user, {}, { name: 'Key ring' });
    expect((await app.call('GET', '/me', { token: other.access_token })).body.code).toBe(
      'session_revoked',
    );
    const sessions = (await app.call('GET', '/me/sessions', { token: user.access })).body.sessions;
    expect(sessions).toEqual([expect.objectContaining({ amr: ['pwd', 'hwk', 'user', 'mfa'] })]);
    expect(await app.emails(address)).toEqual([
      expect.objectContaining({
        template: 'factor_added',
        values: expect.objectContaining({ factor: 'the passkey "Key ring"' }),
      }),
    ]);
    const factorLines = () =>
      app.log
        .filter((line) => line.event.startsWith('factor.') && line['user.id'] === user.userId)
        .map(({ event }) => event);
    expect(factorLines()).toEqual(['factor.added']);
    expect((await app.call('DELETE', `/me/passkeys/${id}`, { token: user.access })).status).toBe(
      204,
    );
    expect((await app.emails(address)).map(({ template }) => template)).toEqual(['factor_removed']);
    expect(factorLines()).toEqual(['factor.added', 'factor.removed']);
  });

  test('twenty at most: the twenty-first is refused before it is made, and after', async () => {
    const user = await app.register();
    for (let i = 0; i < 19; i++) await addPasskey(app, user);
    const begun = await registrationOptions(app, user);
    // Somebody's twentieth that came by another way, so that the state of the account is as it was.
    await app.db.write([
      {
        sql: "INSERT INTO passkey (id, user_id, credential_id, public_key, counter, transports, name, aaguid, backup_eligible, backed_up, created_at, last_used_at, clone_suspected_at) SELECT 'x', user_id, 'x', public_key, counter, transports, name, aaguid, backup_eligible, backed_up, created_at, NULL, NULL FROM passkey WHERE user_id = ? LIMIT 1",
        params: [user.userId],
        map: () => [],
        returns: false,
      },
    ]);
    const after = await app.call('POST', '/me/passkeys', {
      token: user.access,
      body: { challenge_id: begun.challenge_id, credential: create(begun.options).credential },
    });
    const before = await app.call('POST', '/me/passkeys/options', { token: user.access });
    for (const { status, body } of [after, before])
      expect([status, body.code]).toEqual([409, 'too_many_passkeys']);
  });
});

describe('signing in', () => {
  test('without a name: the authenticator knows who; with verification of its user this is aal2 by itself (N9)', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user, { counter: 1 });
    expect((await signInOptions(app)).options).toEqual({
      challenge: expect.stringMatching(/^[\w-]{43}$/),
      rpId: RP_ID,
      timeout: 300_000,
      allowCredentials: [],
      userVerification: 'preferred',
    });
    const { body } = await signIn(app, made);
    expect([body.status, body.device_token !== undefined]).toEqual(['authenticated', true]);
    expect(claimsOf(body.access_token)).toMatchObject({ amr: ['hwk', 'user', 'mfa'], acr: 'aal2' });
    const { passkeys } = (await app.call('GET', '/me/factors', { token: body.access_token })).body;
    expect(passkeys[0].last_used_at).not.toBeNull();
  });

  test('with a name, in any spelling: a passkey of that account alone', async () => {
    const user = await app.register();
    const other = await app.register();
    const { made } = await addPasskey(app, user, { transports: ['usb', 'nfc'] });
    for (const name of [user.username, user.username.toUpperCase()]) {
      expect((await signIn(app, made, { userHandle: null }, name)).body.status).toBe(
        'authenticated',
      );
    }
    for (const name of [other.username, 'nobody-has-this'])
      expect((await signIn(app, made, {}, name)).body.code).toBe('invalid_credentials');
  });

  test('a passkey that is kept on several devices is software to RFC 8176', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user, { be: true });
    expect(claimsOf((await signIn(app, made, { bs: true })).body.access_token)['amr']).toEqual([
      'swk',
      'user',
      'mfa',
    ]);
    const { body } = await app.call('GET', '/me/factors', {
      token: (await signIn(app, made, { bs: true })).body.access_token,
    });
    expect(body.passkeys[0]).toMatchObject({ backup_eligible: true, backed_up: true });
  });

  test('without user verification a passkey is one factor: who has a password is asked for it, and both make aal2', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user);
    const first = await signIn(app, made, { uv: false });
    expect(first.body).toMatchObject({ status: 'mfa_required', factors: ['password'] });
    const wrong = await app.call('POST', '/login/mfa', {
      body: { challenge_token: first.body.challenge_token, password: 'wrong horse battery staple' },
    });
    expect([wrong.status, wrong.body.code]).toEqual([401, 'invalid_credentials']);
    const second = await app.call('POST', '/login/mfa', {
      body: { challenge_token: first.body.challenge_token, password: PASSWORD },
    });
    expect(claimsOf(second.body.access_token)).toMatchObject({
      amr: ['hwk', 'user', 'pwd', 'mfa'],
      acr: 'aal2',
    });
  });

  test('account_disabled is answered only after a correct assertion', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user);
    await app.kernel.accountState.disable(operator, user.userId);
    const right = await signIn(app, made);
    expect([right.status, right.body.code]).toEqual([403, 'account_disabled']);
    const wrong = await signIn(app, made, { signature: Buffer.alloc(70, 1) });
    expect([wrong.status, wrong.body.code]).toEqual([401, 'invalid_credentials']);
  });

  test('cookies: the refresh token comes as one, from a listed origin', async () => {
    const own = await createTestApp({
      config: '[cookies]\nenabled = true\nallowed_origins = ["https://web.example.com"]\n',
    });
    const user = await own.register();
    const { made } = await addPasskey(own, user);
    const send = async (headers: Record<string, string>) => {
      const begun = await signInOptions(own);
      return own.call('POST', '/login/passkey', {
        body: {
          challenge_id: begun.challenge_id,
          credential: assert(made, begun.options),
          cookie: true,
        },
        headers,
      });
    };
    expect((await send({})).body.code).toBe('origin_not_allowed');
    const { body, headers } = await send({ origin: 'https://web.example.com' });
    expect([body.refresh_token, headers.get('set-cookie')]).toEqual([
      undefined,
      expect.stringContaining('__Host-refresh='),
    ]);
    await own.stop();
  });
});

describe('keeping passkeys', () => {
  test('PATCH renames one of the user’s own, and no other user’s', async () => {
    const user = await app.register();
    const { id } = await addPasskey(app, user);
    const { status, body } = await app.call('PATCH', `/me/passkeys/${id}`, {
      token: user.access,
      body: { name: 'Key ring' },
    });
    expect([status, body.name, body.id]).toEqual([200, 'Key ring', id]);
    const other = await app.register();
    const foreign = await app.call('PATCH', `/me/passkeys/${id}`, {
      token: other.access,
      body: { name: 'Mine' },
    });
    expect([foreign.status, foreign.body.code]).toEqual([404, 'not_found']);
    for (const name of ['', 'x'.repeat(65), 'a\nb', 'a\u0000b'])
      expect(
        (await app.call('PATCH', `/me/passkeys/${id}`, { token: user.access, body: { name } }))
          .status,
      ).toBe(422);
  });
});

test('G12: what a user calls a passkey is not for the log; that one was added and removed is, by a word out of a closed list', async () => {
  const own = await createTestApp();
  const user = await own.register();
  const { id } = await addPasskey(own, user);
  await own.call('PATCH', `/me/passkeys/${id}`, {
    token: user.access,
    body: { name: 'canary of a name' },
  });
  expect((await own.call('DELETE', `/me/passkeys/${id}`, { token: user.access })).status).toBe(204);
  expect(JSON.stringify(own.log)).not.toContain('canary of a name');
  expect(
    own.log
      .filter(({ event }) => event.startsWith('factor.'))
      .map(({ event, factor }) => [event, factor]),
  ).toEqual([
    ['factor.added', 'passkey'],
    ['factor.removed', 'passkey'],
  ]);
  await own.stop();
});
