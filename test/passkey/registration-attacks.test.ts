/** What is refused when a passkey is added or taken away: W01, W02, W05 to W09, O09. */
import { generateKeyPairSync } from 'node:crypto';
import { encodeCBOR } from '@levischuck/tiny-cbor';
import type { CBORType } from '@levischuck/tiny-cbor';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPrincipal } from '../../src/core/session/session.ts';
import { removePasskey } from '../../src/features/passkey/manage-passkeys.ts';
import type { PasskeySettings } from '../../src/features/passkey/settings.ts';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { Reply, SignedIn, TestApp } from '../support/app.ts';
import { assert, coseOf, create } from '../support/authenticator.ts';
import type { CreationLies } from '../support/authenticator.ts';
import { claimsOf } from '../support/mfa.ts';
import { addPasskey, forgetPassword, registrationOptions, signIn, tryRegister } from './story.ts';

let app: TestApp;
let user: SignedIn;
beforeAll(async () => {
  app = await createTestApp();
  user = await app.register();
});
afterAll(() => app.stop());

const notVerified = (reply: Reply): void =>
  expect([reply.status, reply.body.code, reply.body.errors]).toEqual([
    422,
    'invalid_request',
    [expect.objectContaining({ pointer: '/credential', code: 'not_verified' })],
  ]);
const over = (reply: Reply): void =>
  expect([reply.status, reply.body.code, reply.body.errors]).toEqual([
    422,
    'invalid_request',
    [expect.objectContaining({ pointer: '/challenge_id', code: 'spent_or_expired' })],
  ]);
const finish = (access: string, challengeId: string, credential: object): Promise<Reply> =>
  app.call('POST', '/me/passkeys', {
    token: access,
    body: { challenge_id: challengeId, credential },
  });
const countOf = async ({ access }: { access: string }): Promise<number> =>
  (await app.call('GET', '/me/factors', { token: access })).body.passkeys.length;
/**
 * The codes of two requests at once, when they did meet: on a busy machine one may be over before
 * the other begins.
 */
async function untilConflict(race: () => Promise<readonly Reply[]>): Promise<string[]> {
  for (let round = 0; ; round++) {
    const codes = (await race()).map(({ body }) => body?.code ?? 'done').sort();
    if (codes.includes('conflict') || round === 30) return codes;
  }
}

describe('W01: the challenge of a registration', () => {
  test('is spent by its first answer, right or wrong', async () => {
    const own = await app.register();
    const wrong = await registrationOptions(app, own);
    notVerified(
      await finish(
        own.access,
        wrong.challenge_id,
        create(wrong.options, { rpId: 'evil.example' }).credential,
      ),
    );
    over(await finish(own.access, wrong.challenge_id, create(wrong.options).credential));
    const right = await registrationOptions(app, own);
    expect(
      (await finish(own.access, right.challenge_id, create(right.options).credential)).status,
    ).toBe(201);
    over(await finish(own.access, right.challenge_id, create(right.options).credential));
    expect(await countOf(own)).toBe(1);
  });

  test('is good for one of fifty answers at once', async () => {
    const own = await app.register();
    const begun = await registrationOptions(app, own);
    const replies = await Promise.all(
      Array.from({ length: 50 }, () =>
        finish(own.access, begun.challenge_id, create(begun.options).credential),
      ),
    );
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(await countOf(own)).toBe(1);
  });

  test('is the session’s: not another user’s, not another session’s of the same user, not one of a sign-in, not an old one', async () => {
    const [ada, bob] = [await app.register(), await app.register()];
    const adas = await registrationOptions(app, ada);
    over(await finish(bob.access, adas.challenge_id, create(adas.options).credential));
    const other = (await app.login(ada.username)).body;
    const second = await registrationOptions(app, ada);
    over(await finish(other.access_token, second.challenge_id, create(second.options).credential));
    const { body: signingIn } = await app.call('POST', '/login/passkey/options');
    over(
      await finish(
        ada.access,
        signingIn.challenge_id,
        create({ ...signingIn.options, user: { id: 'AAAA' } }).credential,
      ),
    );
    const old = await registrationOptions(app, ada);
    app.clock.advance(301_000);
    over(await finish(ada.access, old.challenge_id, create(old.options).credential));
    app.clock.advance(-301_000);
    for (const made of ['', 'x.y.z', ada.access])
      over(await finish(ada.access, made, create(old.options).credential));
    const third = await registrationOptions(app, ada);
    notVerified(await finish(ada.access, third.challenge_id, create(old.options).credential));
  });

  test('O09: is void when the account’s factors or password changed since', async () => {
    const ada = await app.register();
    const begun = await registrationOptions(app, ada);
    expect(
      (
        await app.call('POST', '/me/password', {
          token: ada.access,
          body: { current_password: PASSWORD, new_password: 'another horse battery staple' },
        })
      ).status,
    ).toBe(204);
    over(await finish(ada.access, begun.challenge_id, create(begun.options).credential));
  });
});

describe('O09: who may begin', () => {
  test('a stale session, and one that only knows the password of an account with a passkey, are asked to step up', async () => {
    const ada = await app.register();
    const { made, id } = await addPasskey(app, ada);
    const first = (await signIn(app, made, { uv: false })).body;
    const stepped = (
      await app.call('POST', '/login/mfa', {
        body: { challenge_token: first.challenge_token, password: PASSWORD },
      })
    ).body;
    app.clock.advance(6 * 60_000);
    for (const [method, path] of [
      ['POST', '/me/passkeys/options'],
      ['DELETE', `/me/passkeys/${id}`],
    ] as const) {
      const { status, body } = await app.call(method, path, { token: stepped.access_token });
      expect([path, status, body.code]).toEqual([path, 401, 'insufficient_user_authentication']);
    }
    const again = await app.call('POST', '/reauthenticate', {
      token: stepped.access_token,
      body: { password: PASSWORD },
    });
    expect([again.status, again.body.code, again.body.factors]).toEqual([
      401,
      'insufficient_user_authentication',
      ['passkey'],
    ]);
    const options = (
      await app.call('POST', '/reauthenticate/passkey/options', { token: stepped.access_token })
    ).body;
    const renewed = await app.call('POST', '/reauthenticate', {
      token: stepped.access_token,
      body: {
        passkey: { challenge_id: options.challenge_id, credential: assert(made, options.options) },
      },
    });
    expect(renewed.status).toBe(200);
    expect(
      (await app.call('POST', '/me/passkeys/options', { token: renewed.body.access_token })).status,
    ).toBe(200);
    app.clock.advance(-6 * 60_000);
  });
});

describe('W02, W03, W09: what the browser and the authenticator say', () => {
  test.each<[string, CreationLies]>([
    ['plain http', { origin: 'http://auth.example.com' }],
    ['a subdomain', { origin: 'https://evil.auth.example.com' }],
    ['a suffix trick', { origin: 'https://auth.example.com.evil.example' }],
    ['another port', { origin: 'https://auth.example.com:444' }],
    ['no origin', { origin: 'null' }],
  ])('%s is refused, and the page is told that it is the page', async (_, lies) => {
    const { reply } = await tryRegister(app, user, lies);
    expect([reply.status, reply.body.errors]).toEqual([
      422,
      [
        {
          pointer: '/credential',
          code: 'origin_not_allowed',
          detail: expect.stringContaining('passkeys.origins does not list it'),
        },
      ],
    ]);
    const line = app.log.filter(({ event }) => event === 'passkey.origin_refused').at(-1);
    expect(line?.origin).toBe(lies.origin === 'null' ? undefined : lies.origin);
  });

  test.each<[string, CreationLies]>([
    ['the domain of another', { rpId: 'evil.example' }],
    ['the kind of sign-ins', { type: 'webauthn.get' }],
    ['another challenge', { challenge: 'AAAA' }],
    ['no presence', { up: false }],
    ['backed up without being eligible', { bs: true }],
    ['a frame of another origin', { crossOrigin: true }],
    ['a page of another origin above', { topOrigin: 'https://evil.example' }],
    ['client data that are no JSON', { clientData: '{' }],
  ])('%s is refused', async (_, lies) => notVerified((await tryRegister(app, user, lies)).reply));
});

describe('W06: credential ids', () => {
  test('one that exists is refused, for its user and for others', async () => {
    const [ada, bob] = [await app.register(), await app.register()];
    const { made } = await addPasskey(app, ada);
    for (const who of [ada, bob]) {
      const { reply } = await tryRegister(app, who, { id: Buffer.from(made.id, 'base64url') });
      expect([reply.status, reply.body.code]).toEqual([409, 'passkey_registered']);
    }
    expect((await signIn(app, made)).status).toBe(200);
  });

  test('of fifty users who register one at once, one has it', async () => {
    const people: SignedIn[] = [];
    for (let i = 0; i < 50; i++) people.push(await app.register());
    const id = Buffer.alloc(32, 77);
    const begun = await Promise.all(people.map((who) => registrationOptions(app, who)));
    const replies = await Promise.all(
      people.map(({ access }, i) =>
        finish(access, begun[i].challenge_id, create(begun[i].options, { id }).credential),
      ),
    );
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(replies.filter(({ body }) => body.code === 'passkey_registered')).toHaveLength(49);
  });

  test('of two passkeys of one user at once, one is added; the other is refused because the account changed', async () => {
    const codes = await untilConflict(async () => {
      const ada = await app.register();
      const begun = await Promise.all([
        registrationOptions(app, ada),
        registrationOptions(app, ada),
      ]);
      const replies = await Promise.all(
        begun.map(({ challenge_id, options }) =>
          finish(ada.access, challenge_id, create(options).credential),
        ),
      );
      expect(await countOf(ada)).toBe(1);
      return replies;
    });
    expect(codes).toEqual(['conflict', 'done']);
  });

  test.each([
    [1, true],
    [1_023, true],
    [1_024, false],
    [0, false],
  ])('%i bytes: %s', async (length, isGood) => {
    const { made, reply } = await tryRegister(app, await app.register(), {
      id: Buffer.alloc(length, length % 251),
    });
    if (!isGood) return notVerified(reply);
    expect(reply.status).toBe(201);
    expect((await signIn(app, made)).status).toBe(200);
  });

  test('the id beside the credential has to be the one in it', async () => {
    const begun = await registrationOptions(app, user);
    const { credential } = create(begun.options);
    const other = Buffer.alloc(32, 9).toString('base64url');
    notVerified(
      await finish(user.access, begun.challenge_id, { ...credential, id: other, rawId: other }),
    );
  });
});

describe('W07: keys and bytes', () => {
  const { publicKey: p256 } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const bytes = (length: number, value = 1): Uint8Array => new Uint8Array(length).fill(value);
  const jwk = p256.export({ format: 'jwk' });
  const x = Uint8Array.from(Buffer.from(jwk.x ?? '', 'base64url'));
  const y = Uint8Array.from(Buffer.from(jwk.y ?? '', 'base64url'));
  const ec2 = (change: readonly (readonly [number, CBORType | undefined])[]): Uint8Array => {
    const map = new Map<number, CBORType>([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, x],
      [-3, y],
    ]);
    for (const [label, value] of change)
      value === undefined ? map.delete(label) : map.set(label, value);
    return encodeCBOR(map);
  };
  const rsa = (n: Uint8Array, e: Uint8Array): Uint8Array =>
    encodeCBOR(
      new Map<number, CBORType>([
        [1, 3],
        [3, -257],
        [-1, n],
        [-2, e],
      ]),
    );
  const modulus = bytes(256, 0xff);

  test.each<[string, CreationLies]>([
    ['RSA of 1024 bits', { algorithm: 'RS256', modulusLength: 1_024 }],
    ['RSA of 2040 bits', { algorithm: 'RS256', modulusLength: 2_040 }],
    ['RSA with exponent 1', { cose: rsa(modulus, bytes(1, 1)) }],
    ['RSA with an even exponent', { cose: rsa(modulus, bytes(1, 2)) }],
    ['RSA with a long exponent', { cose: rsa(modulus, bytes(200, 3)) }],
    [
      'RSA with a modulus of 16 kbit',
      { cose: rsa(bytes(2_048, 0xff), Uint8Array.from([1, 0, 1])) },
    ],
    ['a point that is on no curve', { cose: ec2([[-3, bytes(32, 7)]]) }],
    [
      'the point at infinity',
      {
        cose: ec2([
          [-2, bytes(32, 0)],
          [-3, bytes(32, 0)],
        ]),
      },
    ],
    ['a coordinate of 31 bytes', { cose: ec2([[-2, x.slice(1)]]) }],
    ['a coordinate of 33 bytes', { cose: ec2([[-2, Uint8Array.from([0, ...x])]]) }],
    ['a compressed point', { cose: ec2([[-3, true]]) }],
    ['a missing coordinate', { cose: ec2([[-3, undefined]]) }],
    ['a part too many', { cose: ec2([[-4, bytes(32)]]) }],
    [
      'ES384, which was not offered',
      {
        cose: ec2([
          [3, -35],
          [-1, 2],
        ]),
      },
    ],
    ['ES256 on another curve', { cose: ec2([[-1, 2]]) }],
    [
      'ES256K, which was not offered',
      {
        cose: ec2([
          [3, -47],
          [-1, 8],
        ]),
      },
    ],
    [
      'RS1',
      {
        cose: encodeCBOR(
          new Map<number, CBORType>([
            [1, 3],
            [3, -65_535],
            [-1, modulus],
            [-2, Uint8Array.from([1, 0, 1])],
          ]),
        ),
      },
    ],
    ['EdDSA with a key of EC', { cose: ec2([[3, -8]]) }],
    ['a text for an algorithm', { cose: ec2([[3, 'ES256']]) }],
    ['a key that is no map', { cose: encodeCBOR([1, 2]) }],
    ['no key', { cose: new Uint8Array() }],
    ['bytes behind the data', { behind: Buffer.from([0]) }],
    ['a second key behind the first', { behind: Buffer.from(coseOf(p256)) }],
    ['a depth bomb for a key', { cose: bytes(40_000, 0x81) }],
    ['tags upon tags for a key', { cose: bytes(40_000, 0xc1) }],
    ['maps within maps', { cose: bytes(40_000, 0xa1) }],
    [
      'an indefinite map for a key',
      { cose: Buffer.concat([Buffer.from([0xbf]), coseOf(p256).subarray(1), Buffer.from([0xff])]) },
    ],
    ['a length beyond the end', { cose: Buffer.from('5affffffff', 'hex') }],
    ['a map of four thousand million', { cose: Buffer.from('baffffffff', 'hex') }],
    ['a list of four thousand million', { cose: Buffer.from('9affffffff', 'hex') }],
    ['a length of eight bytes', { cose: Buffer.from('5b0000000000000001', 'hex') }],
    ['a name that stands twice', { cose: Buffer.from('a201020102', 'hex') }],
  ])('%s: refused', async (_, lies) => {
    const begun = await registrationOptions(app, user);
    const { credential } = create(begun.options, lies);
    notVerified(await finish(user.access, begun.challenge_id, credential));
  });

  test.each<[string, Uint8Array]>([
    ['empty', Buffer.from([0xa0])],
    ['no map', Buffer.from([0x01])],
    ['indefinite', Buffer.from('bf63666d74646e6f6e65ff', 'hex')],
    ['a depth bomb', Buffer.alloc(45_000, 0x9f)],
    ['a definite depth bomb', Buffer.alloc(45_000, 0x81)],
    [
      'with bytes behind it',
      Buffer.concat([
        encodeCBOR(
          new Map<string, CBORType>([
            ['fmt', 'none'],
            ['attStmt', new Map<string, CBORType>()],
            ['authData', bytes(37)],
          ]),
        ),
        Buffer.from([0]),
      ]),
    ],
    [
      'with data that are a text',
      encodeCBOR(
        new Map<string, CBORType>([
          ['fmt', 'none'],
          ['attStmt', new Map<string, CBORType>()],
          ['authData', 'x'],
        ]),
      ),
    ],
    [
      'with data that are cut off',
      encodeCBOR(
        new Map<string, CBORType>([
          ['fmt', 'none'],
          ['attStmt', new Map<string, CBORType>()],
          ['authData', bytes(36)],
        ]),
      ),
    ],
    [
      'without a credential',
      encodeCBOR(
        new Map<string, CBORType>([
          ['fmt', 'none'],
          ['attStmt', new Map<string, CBORType>()],
          ['authData', bytes(37)],
        ]),
      ),
    ],
  ])('an attestation object that is %s: refused', async (_, attestationObject) => {
    const begun = await registrationOptions(app, user);
    notVerified(
      await finish(
        user.access,
        begun.challenge_id,
        create(begun.options, { attestationObject }).credential,
      ),
    );
  });

  test('a megabyte is refused at the door', async () => {
    const begun = await registrationOptions(app, user);
    const { status } = await finish(
      user.access,
      begun.challenge_id,
      create(begun.options, { attestationObject: Buffer.alloc(1_000_000) }).credential,
    );
    expect(status).toBe(413);
  });

  test.each<[string, CreationLies]>([
    ['none with a statement', { attStmt: new Map<string, CBORType>([['x', 1]]) }],
    ['a format that nobody knows', { fmt: 'made-up' }],
    ['packed without a signature', { fmt: 'packed' }],
    [
      'packed with a wrong one',
      {
        fmt: 'packed',
        attStmt: new Map<string, CBORType>([
          ['alg', -7],
          ['sig', bytes(70)],
        ]),
      },
    ],
    [
      'packed with a certificate that is none',
      {
        fmt: 'packed',
        attStmt: new Map<string, CBORType>([
          ['alg', -7],
          ['sig', bytes(70)],
          ['x5c', [bytes(500)]],
        ]),
      },
    ],
    ['tpm, empty', { fmt: 'tpm' }],
    ['android-key, empty', { fmt: 'android-key' }],
    ['android-safetynet, empty', { fmt: 'android-safetynet' }],
    ['apple, empty', { fmt: 'apple' }],
    ['fido-u2f, empty', { fmt: 'fido-u2f' }],
  ])('an attestation %s is refused', async (_, lies) =>
    notVerified((await tryRegister(app, user, lies)).reply),
  );

  test('nothing of all that was kept', async () => expect(await countOf(user)).toBe(0));
});

describe('W08: taking away', () => {
  test('another’s is not found', async () => {
    const [ada, bob] = [await app.register(), await app.register()];
    const { id } = await addPasskey(app, ada);
    const reply = await app.call('DELETE', `/me/passkeys/${id}`, { token: bob.access });
    expect([reply.status, reply.body.code]).toEqual([404, 'not_found']);
    expect(await countOf(ada)).toBe(1);
  });

  test('the last one of a user without a password stays, and with a second one goes', async () => {
    const ada = await app.register();
    const { id } = await addPasskey(app, ada);
    await forgetPassword(app, ada.userId);
    const last = await app.call('DELETE', `/me/passkeys/${id}`, { token: ada.access });
    expect([last.status, last.body.code]).toEqual([409, 'last_sign_in_method']);
    const { made } = await addPasskey(app, ada);
    expect((await app.call('DELETE', `/me/passkeys/${id}`, { token: ada.access })).status).toBe(
      204,
    );
    expect((await signIn(app, made)).status).toBe(200);
  });

  test('of the last two, removed at once by a user without a password, one stays', async () => {
    for (let round = 0; round < 5; round++) {
      const ada = await app.register();
      const ids = [(await addPasskey(app, ada)).id, (await addPasskey(app, ada)).id];
      await forgetPassword(app, ada.userId);
      const replies = await Promise.all(
        ids.map((id) => app.call('DELETE', `/me/passkeys/${id}`, { token: ada.access })),
      );
      expect(replies.filter(({ status }) => status === 204)).toHaveLength(1);
      expect(['last_sign_in_method', 'conflict']).toContain(
        replies.find(({ status }) => status !== 204)?.body.code,
      );
      expect(await countOf(ada)).toBe(1);
    }
  });

  test('one passkey removed twice at once: the second gets not_found or conflict', async () => {
    const ada = await app.register();
    const { id } = await addPasskey(app, ada);
    const replies = await Promise.all(
      [1, 2].map(() => app.call('DELETE', `/me/passkeys/${id}`, { token: ada.access })),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([
      204,
      expect.toSatisfy((status: number) => status === 404 || status === 409),
    ]);
  });

  test('a removal that was authorised before the account’s factors changed is a conflict', async () => {
    const ada = await app.register();
    const { id } = await addPasskey(app, ada);
    const principal = await findPrincipal(app.db, {
      sessionId: ada.sessionId,
      userId: ada.userId,
      now: app.clock.now(),
    });
    if (principal === null) throw new Error('nobody');
    await addPasskey(app, ada);
    // Removing asks nothing of the settings.
    const passkeys: Partial<PasskeySettings> = {};
    const remove = removePasskey({ ...app.kernel, passkeys: passkeys as PasskeySettings });
    await expect(remove({ ...operator, principal }, id)).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(await countOf(ada)).toBe(2);
  });

  test('with the last one the session’s level goes, and so do recovery codes', async () => {
    const ada = await app.register();
    const { made, id } = await addPasskey(app, ada);
    const first = (await signIn(app, made, { uv: false })).body;
    const session = (
      await app.call('POST', '/login/mfa', {
        body: { challenge_token: first.challenge_token, password: PASSWORD },
      })
    ).body;
    await app.call('POST', '/me/recovery-codes', { token: session.access_token });
    expect(
      (await app.call('GET', '/me/factors', { token: session.access_token })).body
        .recovery_codes_left,
    ).toBe(10);
    expect(
      (await app.call('DELETE', `/me/passkeys/${id}`, { token: session.access_token })).status,
    ).toBe(204);
    expect(
      (await app.call('GET', '/me/factors', { token: session.access_token })).body,
    ).toMatchObject({ passkeys: [], recovery_codes_left: 0 });
    const { body } = await app.call('POST', '/reauthenticate', {
      token: session.access_token,
      body: { password: PASSWORD },
    });
    expect(claimsOf(body.access_token)).toMatchObject({ amr: ['pwd'], acr: 'aal1' });
    expect((await app.login(ada.username)).body.status).toBe('authenticated');
  });
});
