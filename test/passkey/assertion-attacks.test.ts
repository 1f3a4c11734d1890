/**
 * What is refused at sign-in with a passkey: W01 to W05, W09, and that no answer tells an account
 * (E04).
 */
import { encodeCBOR } from '@levischuck/tiny-cbor';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { Reply, SignedIn, TestApp } from '../support/app.ts';
import { ORIGIN, assert, create } from '../support/authenticator.ts';
import type { AssertionLies, MadeCredential } from '../support/authenticator.ts';
import {
  addPasskey,
  registerByEmail,
  registrationOptions,
  signIn,
  signInOptions,
} from './story.ts';

let app: TestApp;
let ada: SignedIn;
let made: MadeCredential;
beforeAll(async () => {
  app = await createTestApp();
  ada = await app.register();
  ({ made } = await addPasskey(app, ada));
});
afterAll(() => app.stop());

const refused = (reply: Reply): void =>
  expect([reply.status, reply.body.code, reply.body.access_token]).toEqual([
    401,
    'invalid_credentials',
    undefined,
  ]);
const finish = (challengeId: string, credential: object): Promise<Reply> =>
  app.call('POST', '/login/passkey', { body: { challenge_id: challengeId, credential } });

describe('W01: a challenge', () => {
  test('that was answered is spent, also when the answer was wrong', async () => {
    const begun = await signInOptions(app);
    expect((await finish(begun.challenge_id, assert(made, begun.options))).status).toBe(200);
    refused(await finish(begun.challenge_id, assert(made, begun.options)));
    const wrong = await signInOptions(app);
    refused(
      await finish(
        wrong.challenge_id,
        assert(made, wrong.options, { signature: Buffer.alloc(70) }),
      ),
    );
    refused(await finish(wrong.challenge_id, assert(made, wrong.options)));
  });

  test('is good for one of fifty answers at once', async () => {
    const begun = await signInOptions(app);
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => finish(begun.challenge_id, assert(made, begun.options))),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(replies.filter(({ body }) => body.code === 'invalid_credentials')).toHaveLength(49);
  });

  test('ends after five minutes', async () => {
    const early = await signInOptions(app);
    const late = await signInOptions(app);
    app.clock.advance(299_000);
    expect((await finish(early.challenge_id, assert(made, early.options))).status).toBe(200);
    app.clock.advance(2_000);
    refused(await finish(late.challenge_id, assert(made, late.options)));
    app.clock.advance(-301_000);
  });

  test('of another ceremony, of another begin, made up, or another token of ours is none', async () => {
    const registration = await registrationOptions(app, await app.register());
    refused(await finish(registration.challenge_id, assert(made, registration.options)));
    const again = await app.call('POST', '/reauthenticate/passkey/options', {
      token: (await signIn(app, made)).body.access_token,
    });
    refused(await finish(again.body.challenge_id, assert(made, again.body.options)));
    const one = await signInOptions(app);
    const two = await signInOptions(app);
    refused(await finish(one.challenge_id, assert(made, two.options)));
    for (const token of [
      '',
      'x',
      'x.y.z',
      ada.access,
      ada.refresh,
      two.challenge_id.replace(/.$/, '-'),
      `${two.challenge_id} `,
      'a'.repeat(4_096),
    ])
      refused(await finish(token, assert(made, two.options)));
    expect(
      (
        await app.call('POST', '/login/mfa', {
          body: { challenge_token: one.challenge_id, password: 'x' },
        })
      ).body.code,
    ).toBe('invalid_token');
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: one.challenge_id } })).body.code,
    ).toBe('invalid_token');
  });

  test('reveals nothing about which accounts exist: its content differs only in random values', async () => {
    const read = async (name: string) =>
      JSON.parse(
        Buffer.from(
          (await signInOptions(app, name)).challenge_id.split('.')[1],
          'base64url',
        ).toString('utf8'),
      );
    const [known, unknown, twice] = [
      await read(ada.username),
      await read('nobody-has-this'),
      await read(ada.username),
    ];
    expect(Object.keys(known)).toEqual(Object.keys(unknown));
    expect([known.binding.length, known.binding === twice.binding]).toEqual([
      unknown.binding.length,
      false,
    ]);
    expect(JSON.stringify(known)).not.toContain(ada.userId);
  });
});

describe('W02: the page and the kind', () => {
  test.each<[string, AssertionLies]>([
    ['plain http', { origin: 'http://auth.example.com' }],
    ['another port', { origin: 'https://auth.example.com:8443' }],
    ['a subdomain', { origin: 'https://evil.auth.example.com' }],
    ['a domain above', { origin: 'https://example.com' }],
    ['a suffix trick', { origin: 'https://auth.example.com.evil.example' }],
    ['a prefix trick', { origin: 'https://notauth.example.com' }],
    ['upper case', { origin: 'https://AUTH.example.com' }],
    ['a slash behind', { origin: 'https://auth.example.com/' }],
    ['no origin', { origin: 'null' }],
    ['the domain of another', { rpId: 'evil.example' }],
    ['the domain above', { rpId: 'example.com' }],
    ['the kind of registrations', { type: 'webauthn.create' }],
    ['payments', { type: 'payment.get' }],
  ])('%s is refused', async (_, lies) => refused(await signIn(app, made, lies)));

  test('T18: the log says which origin, and the page that it is the page', async () => {
    const reply = await signIn(app, made, { origin: 'https://evil.example' });
    expect(reply.body.detail).toContain('passkeys.origins does not list it');
    const lines = app.log.filter(({ event }) => event === 'passkey.origin_refused');
    expect(lines.at(-1)).toMatchObject({ level: 'warn', origin: 'https://evil.example' });
    expect(lines.at(-1)?.message).toContain('add "https://evil.example" to passkeys.origins');
    // What no browser writes is not repeated.
    await signIn(app, made, { origin: 'https://evil.example/"},{"level":"fatal' });
    const last = app.log.filter(({ event }) => event === 'passkey.origin_refused').at(-1);
    expect([last?.origin, last?.message.includes('evil')]).toEqual([undefined, false]);
    // Nor does it tell whether the passkey is known.
    const other = await signIn(
      app,
      { ...made, id: Buffer.alloc(32, 9).toString('base64url') },
      {
        origin: 'https://evil.example',
      },
    );
    expect([other.status, other.body.detail]).toEqual([reply.status, reply.body.detail]);
  });

  test.each<[string, string | Uint8Array]>([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['null', 'null'],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['a depth bomb', `${'['.repeat(30_000)}${']'.repeat(30_000)}`.slice(0, 40_000)],
    ['longer than any browser writes', JSON.stringify({ a: 'x'.repeat(10_000) })],
  ])('client data that is %s are refused', async (_, clientData) =>
    refused(await signIn(app, made, { clientData })),
  );

  test('a duplicate member in the client data is refused', async () => {
    const begun = await signInOptions(app);
    const clientData = `{"type":"webauthn.get","challenge":"${begun.options.challenge}","origin":"${ORIGIN}","crossOrigin":true,"crossOrigin":false}`;
    refused(await finish(begun.challenge_id, assert(made, begun.options, { clientData })));
  });
});

describe('W09: frames', () => {
  test.each<[string, AssertionLies]>([
    ['crossOrigin true', { crossOrigin: true }],
    ['crossOrigin true with its page', { crossOrigin: true, topOrigin: 'https://evil.example' }],
    ['crossOrigin true under our own page', { crossOrigin: true, topOrigin: ORIGIN }],
    ['a page above without crossOrigin', { topOrigin: 'https://evil.example' }],
    ['our own page above', { topOrigin: ORIGIN }],
    ['crossOrigin as a text', { crossOrigin: 'true' }],
    ['crossOrigin null', { crossOrigin: null }],
  ])('%s is refused', async (_, lies) => refused(await signIn(app, made, lies)));
});

describe('W03: flags', () => {
  test('without presence nothing goes', async () =>
    refused(await signIn(app, made, { up: false })));
  test('backed up without being eligible is a contradiction', async () =>
    refused(await signIn(app, made, { bs: true })));
  test('a credential does not become one that is copied, nor cease to be one', async () => {
    refused(await signIn(app, made, { be: true }));
    const { made: synced } = await addPasskey(app, await app.register(), { be: true });
    refused(await signIn(app, synced, { be: false }));
    expect((await signIn(app, synced)).status).toBe(200);
  });

  test('where verification of the user is required, an assertion or a registration without is refused', async () => {
    const strict = await createTestApp({ config: '[passkeys]\nuser_verification = "required"\n' });
    const user = await strict.register();
    const begun = await registrationOptions(strict, user);
    expect(begun.options.authenticatorSelection.userVerification).toBe('required');
    const without = await strict.call('POST', '/me/passkeys', {
      token: user.access,
      body: {
        challenge_id: begun.challenge_id,
        credential: create(begun.options, { uv: false }).credential,
      },
    });
    expect([without.status, without.body.errors]).toEqual([
      422,
      [expect.objectContaining({ pointer: '/credential', code: 'not_verified' })],
    ]);
    const { made: own } = await addPasskey(strict, user);
    refused(await signIn(strict, own, { uv: false }));
    expect((await signIn(strict, own)).status).toBe(200);
    await strict.stop();
  });
});

describe('W04: counters', () => {
  const suspected = async (user: SignedIn): Promise<boolean[]> =>
    (await app.call('GET', '/me/factors', { token: user.access })).body.passkeys.map(
      (one: { clone_suspected: boolean }) => one.clone_suspected,
    );

  test.each([
    [5, 5],
    [5, 4],
    [5, 0],
    [1, 1],
  ])('stored %i, sent %i: refused, flagged, logged', async (stored, sent) => {
    const user = await app.register();
    const { made: own } = await addPasskey(app, user, { counter: stored });
    refused(await signIn(app, own, { counter: sent }));
    expect(await suspected(user)).toEqual([true]);
    expect(
      app.log.filter(
        (line) => line.event === 'passkey.clone_suspected' && line['user.id'] === user.userId,
      ),
    ).toEqual([expect.objectContaining({ level: 'warn' })]);
    expect((await signIn(app, own, { counter: stored + 1 })).status).toBe(200);
    expect(await suspected(user)).toEqual([true]);
  });

  test('its user is notified by email, once and not for each try', async () => {
    const address = 'pk-clone@example.com';
    const user = await registerByEmail(app, address);
    const { made: own } = await addPasskey(app, user, { counter: 9 }, { name: 'Phone' });
    await app.emails(address);
    for (let i = 0; i < 3; i++) refused(await signIn(app, own, { counter: 9 }));
    expect(await app.emails(address)).toEqual([
      expect.objectContaining({
        template: 'passkey_suspect',
        values: expect.objectContaining({ factor: 'Phone' }),
      }),
    ]);
  });

  test('only a right signature casts suspicion', async () => {
    const user = await app.register();
    const { made: own } = await addPasskey(app, user, { counter: 5 });
    refused(await signIn(app, own, { counter: 1, signature: Buffer.alloc(70, 2) }));
    expect(await suspected(user)).toEqual([false]);
  });

  test('an authenticator that does not count stays at zero; one that begins to may', async () => {
    const user = await app.register();
    const { made: own } = await addPasskey(app, user, { counter: 0 });
    for (const counter of [0, 0, 7, 0]) {
      const { status } = await signIn(app, own, { counter });
      expect([counter, status]).toEqual([counter, counter === 0 && own.counter === 7 ? 401 : 200]);
      own.counter = Math.max(own.counter, counter);
    }
  });

  test('the largest counter is one like others', async () => {
    const { made: own } = await addPasskey(app, await app.register(), { counter: 0xffff_fffe });
    expect((await signIn(app, own, { counter: 0xffff_ffff })).status).toBe(200);
    refused(await signIn(app, own, { counter: 0xffff_ffff }));
  });

  test('twenty assertions of one counter at once: one success', async () => {
    const { made: own } = await addPasskey(app, await app.register(), { counter: 1 });
    const begun = await Promise.all(Array.from({ length: 20 }, () => signInOptions(app)));
    const replies = await Promise.all(
      begun.map(({ challenge_id, options }) =>
        finish(challenge_id, assert(own, options, { counter: 2 })),
      ),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(replies.filter(({ body }) => body.code === 'invalid_credentials')).toHaveLength(19);
  });
});

describe('W05: whose it is', () => {
  let bob: SignedIn;
  let bobs: MadeCredential;
  beforeAll(async () => {
    bob = await app.register();
    ({ made: bobs } = await addPasskey(app, bob));
  });

  test('one’s credential with another’s handle, with none where nobody was named, with an empty or a foreign one', async () => {
    refused(await signIn(app, made, { userHandle: bobs.userHandle ?? '' }));
    refused(await signIn(app, made, { userHandle: null }));
    refused(await signIn(app, made, { userHandle: '' }));
    refused(await signIn(app, made, { userHandle: Buffer.from(ada.userId).toString('base64url') }));
    refused(await signIn(app, made, { userHandle: `${made.userHandle}A` }));
    refused(await signIn(app, made, { userHandle: bobs.userHandle ?? '' }, ada.username));
    expect((await signIn(app, made, { userHandle: null }, ada.username)).status).toBe(200);
  });

  test('one’s credential in a ceremony that was begun for another, or for nobody', async () => {
    refused(await signIn(app, made, {}, bob.username));
    refused(await signIn(app, made, {}, 'nobody-has-this'));
    expect((await signIn(app, bobs, {}, bob.username)).status).toBe(200);
  });

  test('one’s credential id with the signature of another', async () => {
    refused(await signIn(app, { ...bobs, id: made.id, userHandle: made.userHandle }));
    refused(await signIn(app, { ...made, privateKey: bobs.privateKey }));
  });

  test('a key that comes with the assertion is ignored', async () => {
    const attested = Buffer.concat([Buffer.alloc(16), Buffer.from([0, 1, 7]), made.cose]);
    refused(await signIn(app, made, { flags: 0x40, behind: attested }));
  });
});

describe('bytes', () => {
  test.each<[string, AssertionLies]>([
    ['behind the authenticator data', { behind: Buffer.from([0]) }],
    ['announced as extensions and missing', { flags: 0x80 }],
    ['of extensions that are no map', { flags: 0x80, behind: Buffer.from(encodeCBOR('x')) }],
    [
      'behind the extensions',
      {
        flags: 0x80,
        behind: Buffer.concat([encodeCBOR(new Map([['a', true]])), Buffer.from([1])]),
      },
    ],
    ['of a depth bomb', { flags: 0x80, behind: Buffer.alloc(20_000, 0x81) }],
    ['of indefinite length', { flags: 0x80, behind: Buffer.from([0xbf, 0x61, 0x61, 0xf5, 0xff]) }],
    ['of a signature that is none', { signature: Buffer.from([0x30, 0x80]) }],
    ['of a signature of zeros', { signature: Buffer.from('3006020100020100', 'hex') }],
    ['of an empty signature', { signature: Buffer.alloc(0) }],
  ])('W07: %s: refused', async (_, lies) => {
    refused(await signIn(app, made, lies));
  });

  test('extensions that are there are taken', async () => {
    expect(
      (
        await signIn(app, made, {
          flags: 0x80,
          behind: Buffer.from(encodeCBOR(new Map([['credProtect', 1]]))),
        })
      ).status,
    ).toBe(200);
  });

  test('ids and members in another spelling are none', async () => {
    const begun = await signInOptions(app);
    const right = assert(made, begun.options);
    const spelled = { ...right, id: `${right.id}=`, rawId: `${right.id}=` };
    expect((await finish(begun.challenge_id, spelled)).status).toBe(422);
    const two = await signInOptions(app);
    refused(
      await finish(two.challenge_id, {
        ...assert(made, two.options),
        rawId: Buffer.from('other').toString('base64url'),
      }),
    );
    const three = await signInOptions(app);
    const spare = assert(made, three.options);
    // 32 bytes leave two spare bits in the last letter.
    const last =
      spare.response.signature.length % 4 === 0
        ? `${spare.response.signature}A`
        : spare.response.signature.replace(/.$/, (letter) =>
            String.fromCharCode(letter.charCodeAt(0) + 1),
          );
    refused(
      await finish(three.challenge_id, {
        ...spare,
        response: { ...spare.response, signature: last },
      }),
    );
  });
});

describe('E04: names and credentials', () => {
  test('the options are the same for every name, and need no database query', async () => {
    const without = await app.register();
    const read = vi.spyOn(app.db, 'read');
    const shown = async (name?: string) => {
      const { challenge: _, ...options } = (await signInOptions(app, name)).options;
      return options;
    };
    const nameless = await shown();
    expect(nameless.allowCredentials).toEqual([]);
    const names = [ada.username, without.username, 'nobody-has-this', 'nobody@example.com', ''];
    for (const name of [...names, 'no name at all!']) expect(await shown(name)).toEqual(nameless);
    // What other processes wrote is read in the background, whoever asks.
    const looked = read.mock.calls.filter(([{ sql }]) => /"(?:user|passkey)"/.test(sql));
    read.mockRestore();
    expect(looked).toEqual([]);
  });

  test('nothing reveals that a name and an address belong to one account', async () => {
    const user = await app.register();
    const email = `${user.username}@example.com`;
    await app.db.write([
      {
        sql: 'UPDATE "user" SET email = ?, email_canonical = ? WHERE id = ?',
        params: [email, email, user.userId],
        map: () => [],
        returns: false,
      },
    ]);
    const { made: own } = await addPasskey(app, user);
    for (const name of [user.username, email]) {
      const begun = await signInOptions(app, name);
      expect(JSON.stringify(begun)).not.toContain(own.id);
      const { status } = await finish(begun.challenge_id, assert(own, begun.options));
      expect(status).toBe(200);
    }
  });

  test('an unknown credential is named for signalUnknownCredential, whatever name the sign-in had', async () => {
    const foreign = Buffer.alloc(20, 5).toString('base64url');
    for (const username of [undefined, ada.username, 'nobody-has-this']) {
      const begun = await signInOptions(app, username);
      const reply = await finish(
        begun.challenge_id,
        assert({ ...made, id: foreign }, begun.options),
      );
      refused(reply);
      expect(reply.body.unknown_credential).toEqual({
        rpId: 'auth.example.com',
        credentialId: foreign,
      });
    }
    const begun = await signInOptions(app);
    const long = await finish(
      begun.challenge_id,
      assert({ ...made, id: Buffer.alloc(1_024, 5).toString('base64url') }, begun.options),
    );
    expect([long.status, long.body.unknown_credential]).toEqual([401, undefined]);
  });

  test('a removed credential is unknown from then on', async () => {
    const user = await app.register();
    const { made: own, id } = await addPasskey(app, user);
    expect((await app.call('DELETE', `/me/passkeys/${id}`, { token: user.access })).status).toBe(
      204,
    );
    const reply = await signIn(app, own);
    refused(reply);
    expect(reply.body.unknown_credential.credentialId).toBe(own.id);
  });
});
