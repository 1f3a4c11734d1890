/**
 * Passkeys after the password and within a session; what the policy makes of them; where they are
 * off.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp, operator } from '../support/app.ts';
import type { Reply, SignedIn, TestApp } from '../support/app.ts';
import { claimsOf } from '../support/mfa.ts';
import { assert, create } from '../support/authenticator.ts';
import type { AssertionLies, MadeCredential } from '../support/authenticator.ts';
import {
  addPasskey,
  forgetPassword,
  registrationOptions,
  signIn,
  signInOptions,
  tryRegister,
} from './story.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

const pending = async ({ username }: Pick<SignedIn, 'username'>): Promise<string> => {
  const { body } = await app.login(username);
  expect([body.status, body.factors]).toEqual(['mfa_required', ['passkey']]);
  return body.challenge_token;
};
const optionsFor = async (token: string): Promise<Reply['body']> => {
  const { status, body } = await app.call('POST', '/login/mfa/passkey/options', {
    body: { challenge_token: token },
  });
  expect(status).toBe(200);
  return body;
};
const answer = (
  token: string,
  begun: Reply['body'],
  made: MadeCredential,
  lies: AssertionLies = {},
): Promise<Reply> =>
  app.call('POST', '/login/mfa', {
    body: {
      challenge_token: token,
      passkey: { challenge_id: begun.challenge_id, credential: assert(made, begun.options, lies) },
    },
  });
const refused = (reply: Reply): void =>
  expect([reply.status, reply.body.code, reply.body.access_token]).toEqual([
    401,
    'invalid_credentials',
    undefined,
  ]);

describe('after the password', () => {
  test('the options name the user’s passkeys, and an assertion of one makes aal2, verified or not', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user, { transports: ['usb'] });
    for (const uv of [true, false]) {
      const token = await pending(user);
      const begun = await optionsFor(token);
      expect(begun.options).toMatchObject({
        rpId: 'auth.example.com',
        allowCredentials: [{ type: 'public-key', id: made.id, transports: ['usb'] }],
      });
      const { body } = await answer(token, begun, made, { uv });
      expect(claimsOf(body.access_token)).toMatchObject({
        amr: expect.arrayContaining(['pwd', 'hwk', 'user', 'mfa']),
        acr: 'aal2',
      });
    }
  });

  test('O08: a pending sign-in that is spent, void or made up gets no options', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user);
    const token = await pending(user);
    const begun = await optionsFor(token);
    expect((await answer(token, begun, made)).status).toBe(200);
    const none = async (challenge: string) => {
      const { status, body } = await app.call('POST', '/login/mfa/passkey/options', {
        body: { challenge_token: challenge },
      });
      expect([status, body.code]).toEqual([401, 'invalid_token']);
    };
    await none(token);
    for (const made_up of ['x', 'x.y.z', user.access, begun.challenge_id]) await none(made_up);
    const old = await pending(user);
    app.clock.advance(301_000);
    await none(old);
    app.clock.advance(-301_000);
    const tried = await pending(user);
    for (let i = 0; i < 5; i++)
      refused(
        await answer(tried, await optionsFor(tried), made, { signature: Buffer.alloc(70, 1) }),
      );
    await none(tried);
    const other = await app.register();
    await addPasskey(app, other);
    const disabled = await pending(other);
    await app.kernel.accountState.disable(operator, other.userId);
    await none(disabled);
  });

  test('W01, W05: a challenge is bound to its pending sign-in, its user and its kind', async () => {
    const [ada, bob] = [await app.register(), await app.register()];
    const [{ made: adas }, { made: bobs }] = [
      await addPasskey(app, ada),
      await addPasskey(app, bob),
    ];
    const one = await pending(ada);
    const two = await pending(ada);
    const bobsToken = await pending(bob);
    // Of another pending sign-in of the same user; of another user's; of a sign-in.
    refused(await answer(one, await optionsFor(two), adas));
    refused(await answer(one, await optionsFor(bobsToken), adas));
    refused(await answer(one, await optionsFor(bobsToken), bobs));
    refused(await answer(one, await signInOptions(app, ada.username), adas));
    // Another user's passkey, also when it says that it is ours.
    refused(await answer(two, await optionsFor(two), bobs));
    refused(await answer(two, await optionsFor(two), bobs, { userHandle: adas.userHandle ?? '' }));
    refused(await answer(two, await optionsFor(two), adas, { userHandle: bobs.userHandle ?? '' }));
    const begun = await optionsFor(two);
    expect((await answer(two, begun, adas)).status).toBe(200);
    const third = await pending(bob);
    const bobsOptions = await optionsFor(third);
    expect(
      (
        await app.call('POST', '/login/passkey', {
          body: {
            challenge_id: bobsOptions.challenge_id,
            credential: assert(bobs, bobsOptions.options),
          },
        })
      ).body.code,
    ).toBe('invalid_credentials');
  });

  test('W04: a copy is refused here too, and flagged', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user, { counter: 7 });
    const token = await pending(user);
    refused(await answer(token, await optionsFor(token), made, { counter: 7 }));
    const { body } = await answer(token, await optionsFor(token), made, { counter: 8 });
    expect(
      (await app.call('GET', '/me/factors', { token: body.access_token })).body.passkeys[0]
        .clone_suspected,
    ).toBe(true);
  });

  test('L03: a hundred wrong answers at once: at most five are looked at, and the right one comes too late', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user);
    const token = await pending(user);
    const begun = await Promise.all(Array.from({ length: 100 }, () => optionsFor(token)));
    const replies = await Promise.all(
      begun.map((one) => answer(token, one, made, { signature: Buffer.alloc(70, 1) })),
    );
    const looked = replies.filter(({ body }) => body.code === 'invalid_credentials').length;
    expect(looked).toBeLessThanOrEqual(5);
    expect(new Set(replies.map(({ body }) => body.code))).toEqual(
      new Set(['invalid_credentials', 'invalid_token']),
    );
    expect((await answer(token, begun[0], made)).body.code).toBe('invalid_token');
  });

  test('L03: over many pending sign-ins the account’s own cap holds', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user);
    const codes = new Set<string>();
    for (let i = 0; i < 4; i++) {
      const token = await pending(user);
      for (let tries = 0; tries < 4; tries++)
        codes.add(
          (await answer(token, await optionsFor(token), made, { signature: Buffer.alloc(70, 1) }))
            .body.code,
        );
    }
    expect(codes).toEqual(new Set(['invalid_credentials', 'too_many_attempts']));
  });

  test('a user without a passkey is never asked for one', async () => {
    const user = await app.register();
    const { status, body } = await app.call('POST', '/reauthenticate/passkey/options', {
      token: user.access,
    });
    expect([status, body.code]).toEqual([404, 'not_found']);
    const { id } = await addPasskey(app, user);
    const token = await pending(user);
    await app.db.write([
      { sql: 'DELETE FROM passkey WHERE id = ?', params: [id], map: () => [], returns: false },
    ]);
    const gone = await app.call('POST', '/login/mfa/passkey/options', {
      body: { challenge_token: token },
    });
    expect([gone.status, gone.body.code]).toEqual([404, 'not_found']);
  });
});

describe('within a session', () => {
  test('shown again, it lifts the session and renews its time; the challenge is that session’s alone', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user);
    const one = (await signIn(app, made)).body;
    const two = (await signIn(app, made)).body;
    app.clock.advance(6 * 60_000);
    const begun = (
      await app.call('POST', '/reauthenticate/passkey/options', { token: one.access_token })
    ).body;
    const show = (token: string, options: Reply['body']) =>
      app.call('POST', '/reauthenticate', {
        token,
        body: {
          passkey: {
            challenge_id: options.challenge_id,
            credential: assert(made, options.options),
          },
        },
      });
    refused(await show(two.access_token, begun));
    const again = (
      await app.call('POST', '/reauthenticate/passkey/options', { token: one.access_token })
    ).body;
    const { status, body } = await show(one.access_token, again);
    expect([status, body.session_id]).toEqual([200, one.session_id]);
    expect(claimsOf(body.access_token)).toMatchObject({ acr: 'aal2' });
    refused(await show(one.access_token, again));
    app.clock.advance(-6 * 60_000);
  });
});

describe('policies', () => {
  test('required = off: a passkey without user verification signs in without another factor, at aal1', async () => {
    const own = await createTestApp({ config: '[mfa]\nrequired = "off"\n' });
    const user = await own.register();
    const { made } = await addPasskey(own, user);
    const { body } = await signIn(own, made, { uv: false });
    expect([body.status, claimsOf(body.access_token)['acr']]).toEqual(['authenticated', 'aal1']);
    expect((await own.login(user.username)).body.status).toBe('authenticated');
    await own.stop();
  });

  test('ASVS 6.3.3: required = all: a passkey is what was asked for, and the last one stays', async () => {
    const own = await createTestApp({ config: '[mfa]\nrequired = "all"\ngrace = "1h"\n' });
    const user = await own.register();
    const { made, id } = await addPasskey(own, user);
    own.clock.advance(2 * 3_600_000);
    const { body } = await signIn(own, made);
    expect([body.status, body.mfa_due_at]).toEqual(['authenticated', undefined]);
    const last = await own.call('DELETE', `/me/passkeys/${id}`, { token: body.access_token });
    expect([last.status, last.body.code]).toEqual([409, 'last_second_factor']);
    await addPasskey(own, { access: body.access_token });
    expect(
      (await own.call('DELETE', `/me/passkeys/${id}`, { token: body.access_token })).status,
    ).toBe(204);
    await own.stop();
  });

  test('required = all: one who shows a passkey without verification and has nothing else comes in', async () => {
    const own = await createTestApp({ config: '[mfa]\nrequired = "all"\ngrace = "1h"\n' });
    const user = await own.register();
    const { made } = await addPasskey(own, user);
    await forgetPassword(own, user.userId);
    const { body } = await signIn(own, made, { uv: false });
    expect([body.status, claimsOf(body.access_token)['acr']]).toEqual(['authenticated', 'aal1']);
    await own.stop();
  });

  test('a password that has to be changed is asked for after a passkey too: password_change_required', async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user);
    await app.kernel.accountState.expirePassword(operator, user.userId);
    const { status, body } = await signIn(app, made);
    expect([status, body.code]).toEqual([403, 'password_change_required']);
  });
});

describe('off', () => {
  const PATHS = [
    ['POST', '/me/passkeys/options'],
    ['POST', '/me/passkeys'],
    ['PATCH', '/me/passkeys/x'],
    ['DELETE', '/me/passkeys/x'],
    ['POST', '/login/passkey/options'],
    ['POST', '/login/passkey'],
    ['POST', '/login/mfa/passkey/options'],
    ['POST', '/reauthenticate/passkey/options'],
    ['GET', '/.well-known/passkey-endpoints'],
  ] as const;

  test.each([
    ['passkeys.enabled = false', { config: '[passkeys]\nenabled = false\n' }],
    [
      'a service that is reached by an address',
      { env: { POSTERN_SERVER_PUBLIC_URL: 'https://10.0.0.7' } },
    ],
  ])('%s: every path is 404, the document has none, nothing speaks of them', async (_, options) => {
    const own = await createTestApp(options);
    const user = await own.register();
    for (const [method, path] of PATHS)
      expect([
        path,
        (
          await own.call(method, path, {
            token: user.access,
            ...(method === 'POST' ? { body: {} } : {}),
          })
        ).status,
      ]).toEqual([path, 404]);
    const { body } = await own.call('GET', '/openapi.json');
    expect(Object.keys(body.paths).filter((path) => path.includes('passkey'))).toEqual([]);
    expect(
      Object.keys(body.components.schemas).filter((name) => /passkey|PublicKey/i.test(name)),
    ).toEqual([]);
    expect((await own.call('GET', '/me/factors', { token: user.access })).body).not.toHaveProperty(
      'passkeys',
    );
    expect(
      (await own.call('POST', '/reauthenticate', { token: user.access, body: { passkey: {} } }))
        .status,
    ).toBe(422);
    await own.stop();
  });

  test('those who have one sign in by their password as before', async () => {
    const own = await createTestApp();
    const user = await own.register();
    await addPasskey(own, user);
    const without = await createTestApp({
      directory: own.directory,
      config: '[passkeys]\nenabled = false\n',
    });
    expect((await without.login(user.username)).body.status).toBe('authenticated');
    await without.stop();
    await own.stop();
  });
});

describe('/.well-known/passkey-endpoints', () => {
  test('R10: an object with the pages that are configured, and an empty one without', async () => {
    const empty = await app.call('GET', '/.well-known/passkey-endpoints');
    expect([empty.status, empty.headers.get('content-type'), empty.body]).toEqual([
      200,
      expect.stringContaining('application/json'),
      {},
    ]);
    const own = await createTestApp({
      config:
        '[passkeys]\nenroll_url = "https://app.example.com/add"\nmanage_url = "https://app.example.com/keys"\n',
    });
    expect((await own.call('GET', '/.well-known/passkey-endpoints')).body).toEqual({
      enroll: 'https://app.example.com/add',
      manage: 'https://app.example.com/keys',
    });
    await own.stop();
  });
});

describe('other origins', () => {
  test('pages of every origin that is configured can be used, under one domain, and no others', async () => {
    const own = await createTestApp({
      config:
        '[passkeys]\nrp_id = "example.com"\nrp_name = "Example Shop"\norigins = ["https://app.example.com", "https://example.com"]\nattestation = "direct"\nuser_verification = "discouraged"\n',
    });
    const user = await own.register();
    const begun = await registrationOptions(own, user);
    expect(begun.options).toMatchObject({
      rp: { id: 'example.com', name: 'Example Shop' },
      attestation: 'direct',
      authenticatorSelection: { userVerification: 'discouraged' },
    });
    const { made } = await addPasskey(own, user, {
      origin: 'https://app.example.com',
      rpId: 'example.com',
    });
    expect(
      (await signIn(own, made, { origin: 'https://example.com', rpId: 'example.com' })).status,
    ).toBe(200);
    refused(await signIn(own, made, { rpId: 'example.com' }));
    refused(await signIn(own, made, { origin: 'https://app.example.com' }));
    expect((await tryRegister(own, user, { rpId: 'example.com' })).reply.status).toBe(422);
    await own.stop();
  });

  test('on this machine the default is localhost, for browsers take no address', async () => {
    const own = await createTestApp({
      env: { POSTERN_SERVER_PUBLIC_URL: 'http://127.0.0.1:7400' },
    });
    const user = await own.register();
    const begun = await registrationOptions(own, user);
    expect(begun.options.rp.id).toBe('localhost');
    const { credential } = create(begun.options, {
      origin: 'http://localhost:7400',
      rpId: 'localhost',
    });
    expect(
      (
        await own.call('POST', '/me/passkeys', {
          token: user.access,
          body: { challenge_id: begun.challenge_id, credential },
        })
      ).status,
    ).toBe(201);
    await own.stop();
  });
});
