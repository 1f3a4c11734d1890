/**
 * The attacks on tokens, J01 to J13, where tokens come in: GET /me, GET /verify, POST /verify, and
 * all the rest of the routes.
 */
import { createPublicKey, createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createChallengeTokens } from '../../src/core/token/challenge-token.ts';
import { KeysRefused } from '../../src/core/signing-key/signing-key.ts';
import { base32 } from '../../src/features/totp/code.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import { CLIENT_ID, startIssuer } from '../external/issuer.ts';
import type { TestIssuer } from '../external/issuer.ts';
import { SMS as ONLY_SMS, codeOf, newNumber, setPhone, verifyPhone } from '../phone/rig.ts';
import { addPasskey, registrationOptions } from '../passkey/story.ts';
import { create } from '../support/authenticator.ts';
import { codeAt, enrolIn } from '../support/mfa.ts';
import type { Reply, SignedIn, TestApp } from '../support/app.ts';
import { openSocket, request, sendRaw } from '../support/raw.ts';
import { altered, encode, forge, read } from './forge.ts';
import { oversizedTokens, sendInHeader } from './oversized.ts';

const SECRET = 'Jq0v3yXkZr8Lw2Tn5Bf7Hd9Gs1Cm4PaE6uRiYo';
const APPS = [
  ['ES256', '[tokens]\nalgorithm = "ES256"\n'],
  ['EdDSA', '[tokens]\nalgorithm = "EdDSA"\n'],
  ['RS256', '[tokens]\nalgorithm = "RS256"\n'],
  ['HS256', `[tokens]\nalgorithm = "HS256"\nshared_secret = "${SECRET}"\n`],
] as const;
const ALGORITHMS = ['ES256', 'EdDSA', 'RS256', 'HS256'] as const;
type Algorithm = (typeof ALGORITHMS)[number];

const SMS = `${ONLY_SMS}max_unverified = 100000\n`;

const apps = new Map<Algorithm, TestApp>();
const users = new Map<Algorithm, SignedIn>();
let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await startIssuer(() => of('ES256').app.clock.now());
  for (const [algorithm, config] of APPS) {
    const provider = `[external.shop]\nissuer = "${issuer.url}"\nclient_ids = ["${CLIENT_ID}"]\n`;
    const app = await createTestApp({ config: config + provider + SMS });
    apps.set(algorithm, app);
    users.set(algorithm, await app.register());
  }
});
afterAll(async () => {
  for (const app of apps.values()) await app.stop();
  await issuer.close();
});

function of(algorithm: Algorithm): { app: TestApp; user: SignedIn } {
  const app = apps.get(algorithm);
  const user = users.get(algorithm);
  if (app === undefined || user === undefined) throw new Error('no app');
  return { app, user };
}

/** Whether each of the three places takes the token for what it says. */
async function taken(
  app: TestApp,
  token: string,
): Promise<readonly [me: number, forward: number, verified: unknown]> {
  const [me, forward, posted] = await Promise.all([
    app.call('GET', '/me', { token }),
    app.call('GET', '/verify', { token }),
    app.call('POST', '/verify', { body: { token } }),
  ]);
  if (me.status === 401) {
    expect(me.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token"/);
    expect(me.body.code).toBe('invalid_token');
  }
  for (const name of ['x-auth-user', 'x-auth-session', 'x-auth-username'])
    if (forward.status !== 204) expect(forward.headers.get(name)).toBeNull();
  if (posted.body.verified === false)
    expect(Object.keys(posted.body).sort()).toEqual(['code', 'verified']);
  return [me.status, forward.status, posted.body.verified];
}
const REFUSED = [401, 401, false];
const TAKEN = [200, 204, true];

describe.each(ALGORITHMS)('%s', (algorithm) => {
  test('a good token is taken, and one signed anew with the same claims too', async () => {
    const { app, user } = of(algorithm);
    expect(read(user.access).header).toEqual({
      alg: algorithm,
      kid: app.kernel.signingKeys.signingKey().kid,
      typ: 'at+jwt',
    });
    expect(await taken(app, user.access)).toEqual(TAKEN);
    expect(await taken(app, altered(app, user.access, {}))).toEqual(TAKEN);
  });

  test('a sibling verifies it from the JWKS alone; under HS256 there is none', async () => {
    const { app, user } = of(algorithm);
    const { body } = await app.call('GET', '/.well-known/jwks.json');
    if (algorithm === 'HS256') {
      expect(body).toEqual({ keys: [] });
      expect(
        (
          await jwtVerify(user.access, Buffer.from(SECRET), {
            issuer: 'https://auth.example.com',
            audience: 'postern',
            typ: 'at+jwt',
            currentDate: new Date(app.clock.now()),
          })
        ).payload.sub,
      ).toBe(user.userId);
    } else {
      const { payload } = await jwtVerify(user.access, createLocalJWKSet(body), {
        issuer: 'https://auth.example.com',
        audience: 'postern',
        typ: 'at+jwt',
        algorithms: [algorithm],
        currentDate: new Date(app.clock.now()),
      });
      expect(payload.sub).toBe(user.userId);
    }
  });

  test('J01: no algorithm, or another one than the key’s, is refused', async () => {
    const { app, user } = of(algorithm);
    const good = read(user.access);
    const [, middle = '', last = ''] = user.access.split('.');
    for (const alg of [
      'none',
      'None',
      'nOnE',
      'NONE',
      '',
      null,
      undefined,
      0,
      true,
      [algorithm],
      { alg: algorithm },
      algorithm.toLowerCase(),
      `${algorithm} `,
      'HS384',
      'HS512',
      'ES384',
      'PS256',
      'ES256K',
      'Ed25519',
      'RSA-OAEP',
      'dir',
      ...ALGORITHMS.filter((other) => other !== algorithm),
    ]) {
      const header = encode({ ...good.header, alg });
      for (const token of [
        `${header}.${middle}.`,
        `${header}.${middle}`,
        `${header}.${middle}.${last}`,
        altered(app, user.access, {}, { alg }),
        `${header}.${middle}.${randomBytes(64).toString('base64url')}`,
      ]) {
        expect([alg, await taken(app, token)]).toEqual([alg, REFUSED]);
      }
    }
  });

  test('J01, T1: a signature that is missing, cut, random, of another token, or spelled otherwise is refused', async () => {
    const { app, user } = of(algorithm);
    const [header = '', middle = '', last = ''] = user.access.split('.');
    const other = (await app.register()).access.split('.')[2] ?? '';
    const bytes = Buffer.from(last, 'base64url');
    const flipped = Buffer.from(bytes);
    flipped[0] = (flipped[0] ?? 0) ^ 1;
    const respelled = respell(last);
    const signatures = [
      '',
      other,
      last.slice(0, -1),
      last.slice(0, -4),
      `${last}AAAA`,
      `${last}=`,
      `${last}==`,
      ` ${last}`,
      `${last} x`,
      last.replace(/./, '+'),
      last.replace(/./, '/'),
      randomBytes(bytes.length).toString('base64url'),
      flipped.toString('base64url'),
      Buffer.alloc(bytes.length).toString('base64url'),
      ...(respelled === null ? [] : [respelled]),
    ];
    for (const signature of signatures)
      expect([signature, await taken(app, `${header}.${middle}.${signature}`)]).toEqual([
        signature,
        REFUSED,
      ]);
    for (const token of [
      `${header}.${middle}`,
      `${header}..${last}`,
      `.${middle}.${last}`,
      `${user.access}.`,
      `.${user.access}`,
      `${user.access}.x`,
      `${header}.${middle}.${last}.${last}`,
      middle,
      '.',
      '..',
      '...',
      `${header}.${respell(middle) ?? `${middle}=`}.${last}`,
    ]) {
      expect([token.length, await taken(app, token)]).toEqual([token.length, REFUSED]);
    }
  });

  test('J04: a kid that names no key of ours is refused, whatever it looks like', async () => {
    const { app, user } = of(algorithm);
    const internal = app.kernel.signingKeys
      .list()
      .find(({ purpose }) => purpose === 'internal')?.kid;
    for (const kid of [
      '../../dev/null',
      '../../../proc/self/environ',
      "' OR 1=1--",
      '',
      ' ',
      '\u0000',
      0,
      1,
      null,
      undefined,
      true,
      [],
      ['x'],
      {},
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      internal,
      'k'.repeat(1_000),
      `${app.kernel.signingKeys.signingKey().kid} `,
      app.kernel.signingKeys.signingKey().kid.toLowerCase() + 'x',
    ]) {
      expect([kid, await taken(app, altered(app, user.access, {}, { kid }))]).toEqual([
        kid,
        REFUSED,
      ]);
    }
    const long = await app.call('POST', '/verify', {
      body: { token: altered(app, user.access, {}, { kid: 'k'.repeat(20_000) }) },
    });
    expect(long.status).toBe(422);
  });

  test('J05: crit, b64 and every member that nobody asked for are refused', async () => {
    const { app, user } = of(algorithm);
    for (const header of [
      { crit: ['b64'], b64: false },
      { crit: ['exp'] },
      { crit: [] },
      { crit: ['x'], x: 1 },
      { b64: false },
      { b64: true },
      { zip: 'DEF' },
      { cty: 'JWT' },
      { enc: 'A256GCM' },
      { nonce: 'x' },
      { alg2: 'none' },
    ]) {
      expect([header, await taken(app, altered(app, user.access, {}, header))]).toEqual([
        header,
        REFUSED,
      ]);
    }
  });

  test('J08: every claim is demanded, with its type, its issuer, its audience and its time', async () => {
    const { app, user } = of(algorithm);
    const now = Math.floor(app.clock.now() / 1000);
    const bad: readonly Record<string, unknown>[] = [
      ...[
        'iss',
        'sub',
        'aud',
        'exp',
        'iat',
        'nbf',
        'jti',
        'sid',
        'client_id',
        'auth_time',
        'amr',
        'acr',
      ].flatMap((name) => [{ [name]: undefined }, { [name]: null }]),
      ...[
        '0',
        'x',
        String(now + 900),
        now + 0.5,
        -1,
        0,
        now,
        now - 1,
        1e20,
        2 ** 53,
        true,
        [now + 900],
        {},
      ].map((exp) => ({ exp })),
      { exp: now + 901, iat: now },
      { exp: now + 86_400 },
      { iat: now + 60, nbf: now },
      { iat: now + 60, nbf: now + 60, exp: now + 600 },
      { nbf: now + 60 },
      { iat: now - 86_400 },
      { iat: '1' },
      { iat: -1 },
      { iat: 1.5 },
      { nbf: 'x' },
      ...[
        'https://evil.example',
        'https://auth.example.com/',
        'https://auth.example.com.evil.example',
        'HTTPS://AUTH.EXAMPLE.COM',
        'auth.example.com',
        '',
        1,
        ['https://auth.example.com'],
      ].map((iss) => ({ iss })),
      ...['other', '', 'Postern', 'postern ', 1, ['postern'], ['other', 'postern'], [], {}].map(
        (aud) => ({ aud }),
      ),
      ...['', 1, [], {}, true].map((sub) => ({ sub })),
      ...['', 1, ['x']].map((sid) => ({ sid })),
      ...['', 1].map((jti) => ({ jti })),
      { client_id: 'other' },
      { client_id: 1 },
      { auth_time: 'x' },
      { auth_time: -1 },
      { amr: 'pwd' },
      { amr: [1] },
      { amr: {} },
      { acr: 'aal3' },
      { acr: 2 },
    ];
    for (const claims of bad)
      expect([claims, await taken(app, altered(app, user.access, claims))]).toEqual([
        claims,
        REFUSED,
      ]);
    const many = altered(app, user.access, {
      aud: Array.from({ length: 10_000 }, () => 'postern'),
    });
    expect((await app.call('POST', '/verify', { body: { token: many } })).status).toBe(413);
  });

  test('J08: a token of a session or a user that is another’s opens nothing', async () => {
    const { app, user } = of(algorithm);
    const other = await app.register();
    for (const claims of [
      { sub: other.userId },
      { sid: other.sessionId },
      { sid: '00000000-0000-7000-8000-000000000000' },
      { sub: "' OR 1=1--" },
    ]) {
      const me = await app.call('GET', '/me', { token: altered(app, user.access, claims) });
      expect([claims, me.status]).toEqual([claims, 401]);
    }
  });

  test('J09: a member or a claim that stands twice is refused, however it is spelled', async () => {
    const { app, user } = of(algorithm);
    const { header, claims } = read(user.access);
    const key = app.kernel.signingKeys.signingKey();
    const head = JSON.stringify(header);
    const body = JSON.stringify(claims);
    const twice = (json: string, member: string) => json.replace(/}$/, `,${member}}`);
    const tokens = [
      forge(key, head, twice(body, `"sub":"${user.userId}"`)),
      forge(key, head, twice(body, '"sub":"other"')),
      forge(key, head, `{"exp":1,${body.slice(1)}`),
      forge(key, head, twice(body, `"s\\u0075b":"${user.userId}"`)),
      forge(key, head, twice(body, '"x":{"a":1,"a":1}')),
      forge(key, twice(head, `"alg":"${algorithm}"`), body),
      forge(key, twice(head, '"alg":"none"'), body),
      forge(key, `{"alg":"none",${head.slice(1)}`, body),
      forge(key, twice(head, '"\\u0061lg":"none"'), body),
      forge(key, twice(head, '"typ":"at+jwt"'), body),
      forge(key, head, twice(body, '"__proto__":{"admin":true}')),
      forge(key, `\ufeff${head}`, body),
      forge(key, head, `\ufeff${body}`),
      forge(key, head, `[${body}]`),
      forge(key, head, '"text"'),
      forge(key, head, 'null'),
      forge(key, head, `${body},`),
      forge(key, head, body.slice(0, -1)),
      forge(key, '[]', body),
      forge(key, head, twice(body, `"deep":${'['.repeat(9)}${']'.repeat(9)}`)),
    ];
    for (const [index, token] of tokens.entries())
      expect([index, await taken(app, token)]).toEqual([index, REFUSED]);
    const latin = Buffer.concat([
      Buffer.from(body.slice(0, -1)),
      Buffer.from(',"x":"\xff"}', 'latin1'),
    ]);
    const input = `${encode(header)}.${latin.toString('base64url')}`;
    expect(await taken(app, `${input}.${forge(key, head, body).split('.')[2]}`)).toEqual(REFUSED);
  });
});

/**
 * The same bytes in another spelling, by the spare bits of the last character; null when there are
 * none.
 */
function respell(text: string): string | null {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const spare = [0, 0, 4, 2][text.length % 4] ?? 0;
  if (spare === 0) return null;
  const last = alphabet.indexOf(text.slice(-1));
  return text.slice(0, -1) + (alphabet[last ^ 1] ?? '');
}

describe('J02: our public key is no secret to sign with', () => {
  test.each(['ES256', 'EdDSA', 'RS256'] as const)('%s', async (algorithm) => {
    const { app, user } = of(algorithm);
    const { verifyKey, kid } = app.kernel.signingKeys.signingKey();
    const jwk = app.kernel.signingKeys.published()[0]?.jwk;
    const pem = verifyKey.export({ type: 'spki', format: 'pem' }).toString();
    const exported = verifyKey.export({ format: 'jwk' });
    const secrets = [
      pem,
      pem.trim(),
      pem.replaceAll('\n', '\r\n'),
      pem.replace(/-----.*-----|\n/g, ''),
      verifyKey.export({ type: 'spki', format: 'der' }),
      JSON.stringify(jwk),
      JSON.stringify(exported),
      Buffer.from(String(exported.x ?? exported.n), 'base64url'),
      Buffer.concat([
        Buffer.from([4]),
        Buffer.from(String(exported.x ?? ''), 'base64url'),
        Buffer.from(String(exported.y ?? ''), 'base64url'),
      ]),
      kid,
      '',
    ];
    for (const secret of secrets) {
      const signKey = createSecretKey(typeof secret === 'string' ? Buffer.from(secret) : secret);
      for (const header of [
        { alg: 'HS256', kid, typ: 'at+jwt' },
        { alg: algorithm, kid, typ: 'at+jwt' },
      ])
        expect(
          await taken(app, forge({ alg: 'HS256', signKey }, header, read(user.access).claims)),
        ).toEqual(REFUSED);
    }
  });

  test('the shared secret of an HS256 service signs for no other kid', async () => {
    const { app, user } = of('HS256');
    const es = of('ES256');
    const signKey = createSecretKey(Buffer.from(SECRET));
    expect(
      await taken(
        es.app,
        forge({ alg: 'HS256', signKey }, { ...read(user.access).header }, read(user.access).claims),
      ),
    ).toEqual(REFUSED);
    expect(await taken(app, es.user.access)).toEqual(REFUSED);
  });
});

test('J03: a key that the token brings along, or points at, is neither used nor fetched', async () => {
  const { app, user } = of('ES256');
  let connections = 0;
  const listener = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/jwks.json`;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'mine', alg: 'ES256', use: 'sig' };
  const own = { alg: 'ES256', signKey: privateKey } as const;
  const kid = app.kernel.signingKeys.signingKey().kid;
  const claims = read(user.access).claims;
  for (const name of [kid, 'mine', undefined]) {
    for (const header of [
      {},
      { jwk },
      { jku: url },
      { x5u: url },
      { x5c: [publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] },
      { x5t: 'x', 'x5t#S256': 'x' },
      { jwk: { ...jwk, kid } },
    ]) {
      expect(
        await taken(app, forge(own, { alg: 'ES256', typ: 'at+jwt', kid: name, ...header }, claims)),
      ).toEqual(REFUSED);
    }
  }
  expect(
    await taken(
      app,
      forge(own, { alg: 'ES256', typ: 'at+jwt', kid }, { ...claims, iss: url, jwks_uri: url }),
    ),
  ).toEqual(REFUSED);
  // Connections are taken in the order in which they came: ours is the first.
  const accepted = once(listener, 'connection');
  const ours = await openSocket(url);
  await accepted;
  expect(connections).toBe(1);
  ours.destroy();
  listener.close();
});

describe('J06: signatures that bad arithmetic would take', () => {
  const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
  const word = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');

  test('ES256', async () => {
    const { app, user } = of('ES256');
    const [header, middle, last = ''] = user.access.split('.');
    const raw = Buffer.from(last, 'base64url');
    const [r, s] = [raw.subarray(0, 32), raw.subarray(32)];
    const integer = (part: Buffer) => Buffer.concat([Buffer.from([2, 33, 0]), part]);
    const der = Buffer.concat([Buffer.from([0x30, 70]), integer(r), integer(s)]);
    const edges = [0n, 1n, order - 1n, order, order + 1n, 2n ** 256n - 1n].map(word);
    const malleable = word(order - BigInt(`0x${s.toString('hex')}`));
    for (const bytes of [
      Buffer.alloc(64),
      ...edges.flatMap((edge) => [
        Buffer.concat([edge, s]),
        Buffer.concat([r, edge]),
        Buffer.concat([edge, edge]),
      ]),
      der,
      raw.subarray(0, 63),
      Buffer.concat([raw, Buffer.alloc(1)]),
      Buffer.concat([Buffer.alloc(1), raw]),
      r,
      Buffer.concat([s, r]),
    ]) {
      expect(await taken(app, `${header}.${middle}.${bytes.toString('base64url')}`)).toEqual(
        REFUSED,
      );
    }
    // ECDSA allows n − s beside s: the same token in another dress. Nothing keys on the text (R2),
    // so ending its session ends both.
    const twin = `${header}.${middle}.${Buffer.concat([r, malleable]).toString('base64url')}`;
    const own = await app.register();
    await app.call('POST', '/logout/all', { token: own.access });
    const [h, m, l = ''] = own.access.split('.');
    const ownRaw = Buffer.from(l, 'base64url');
    const ownTwin = `${h}.${m}.${Buffer.concat([ownRaw.subarray(0, 32), word(order - BigInt(`0x${ownRaw.subarray(32).toString('hex')}`))]).toString('base64url')}`;
    expect((await app.call('GET', '/me', { token: ownTwin })).status).toBe(401);
    expect(
      (await app.call('POST', '/verify', { body: { token: twin } })).body.claims?.jti ??
        read(user.access).claims['jti'],
    ).toBe(read(user.access).claims['jti']);
  });

  test('EdDSA', async () => {
    const { app, user } = of('EdDSA');
    const [header, middle, last = ''] = user.access.split('.');
    const raw = Buffer.from(last, 'base64url');
    const L = 2n ** 252n + 27742317777372353535851937790883648493n;
    const little = (bytes: Buffer) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
    const S = little(raw.subarray(32));
    const bytesOf = (value: bigint) =>
      Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
    const identity = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]);
    for (const bytes of [
      Buffer.concat([raw.subarray(0, 32), bytesOf(S + L)]),
      Buffer.concat([raw.subarray(0, 32), bytesOf(S + 2n * L)]),
      raw.subarray(0, 63),
      raw.subarray(0, 32),
      Buffer.concat([raw, Buffer.alloc(1)]),
      Buffer.alloc(64),
      Buffer.concat([identity, Buffer.alloc(32)]),
      Buffer.concat([raw.subarray(0, 32), Buffer.alloc(32)]),
    ]) {
      expect(await taken(app, `${header}.${middle}.${bytes.toString('base64url')}`)).toEqual(
        REFUSED,
      );
    }
  });

  test('RS256', async () => {
    const { app, user } = of('RS256');
    const [header, middle, last = ''] = user.access.split('.');
    const raw = Buffer.from(last, 'base64url');
    const n = Buffer.from(
      String(
        createPublicKey(
          app.kernel.signingKeys.signingKey().verifyKey.export({ type: 'spki', format: 'pem' }),
        ).export({ format: 'jwk' }).n,
      ),
      'base64url',
    );
    const one = Buffer.alloc(raw.length);
    one[one.length - 1] = 1;
    for (const bytes of [
      Buffer.alloc(raw.length),
      one,
      n,
      raw.subarray(1),
      Buffer.concat([Buffer.alloc(1), raw]),
      Buffer.concat([raw, Buffer.alloc(1)]),
      Buffer.alloc(raw.length, 0xff),
    ]) {
      expect(await taken(app, `${header}.${middle}.${bytes.toString('base64url')}`)).toEqual(
        REFUSED,
      );
    }
  });
});

describe('J07: each kind of token is good at its own places alone', () => {
  type Kind =
    | 'access'
    | 'refresh'
    | 'challenge'
    | 'device'
    | 'access typed as refresh'
    | 'refresh typed as access'
    | 'challenge typed as access'
    | 'challenge typed as refresh'
    | 'untyped'
    | 'typed JWT'
    | 'status list'
    | 'ID token';
  let app: TestApp;
  beforeAll(() => {
    ({ app } = of('ES256'));
  });

  async function mint(kind: Kind): Promise<{ token: string; user: SignedIn }> {
    const user = await app.register();
    const { signingKeys: keys, clock } = app.kernel;
    const issuer = 'https://auth.example.com';
    const challenge = createChallengeTokens({ signingKeys: keys, clock, issuer }).mint({
      id: user.userId,
      userId: user.userId,
      epoch: 0,
      device: null,
      mustChange: false,
      presented: [{ factor: 'password', kind: 'knowledge', amr: ['pwd'] }],
    });
    const internal = keys.internalKeyAt(clock.now());
    const typed = (
      key: Parameters<typeof forge>[0] & { kid: string },
      token: string,
      typ: string | undefined,
    ) => forge(key, { alg: key.alg, kid: key.kid, typ }, read(token).claims);
    const tokens: Record<Kind, () => string> = {
      access: () => user.access,
      refresh: () => user.refresh,
      challenge: () => challenge,
      device: () => user.deviceToken,
      'access typed as refresh': () => typed(keys.signingKey(), user.access, 'rt+jwt'),
      'refresh typed as access': () => typed(internal, user.refresh, 'at+jwt'),
      'challenge typed as access': () => typed(internal, challenge, 'at+jwt'),
      'challenge typed as refresh': () => typed(internal, challenge, 'rt+jwt'),
      untyped: () => typed(keys.signingKey(), user.access, undefined),
      'typed JWT': () => typed(keys.signingKey(), user.access, 'JWT'),
      'status list': () => typed(keys.signingKey(), user.access, 'statuslist+jwt'),
      'ID token': () =>
        forge(
          keys.signingKey(),
          { alg: 'ES256', kid: keys.signingKey().kid, typ: 'JWT' },
          { ...read(user.access).claims, nonce: 'n' },
        ),
    };
    return { token: tokens[kind](), user };
  }

  const bearer = (method: string, path: string, body?: object) => (token: string) =>
    app.call(method, path, { token, ...(body === undefined ? {} : { body }) });
  /** Links a new identity at an outside provider. */
  const link = async (token: string): Promise<Reply> => {
    const { nonce } = (await app.call('POST', '/login/external/shop/nonce')).body;
    const body = { id_token: await issuer.idToken({ sub: nonce, nonce }), nonce };
    return app.call('POST', '/me/identities/shop', { token, body });
  };
  const PLACES: Readonly<
    Record<
      string,
      {
        good: readonly Kind[];
        send: (token: string, user: SignedIn) => Promise<Reply>;
        refused?: (reply: Reply, token: string) => boolean;
      }
    >
  > = {
    'GET /me': { good: ['access'], send: bearer('GET', '/me') },
    'PATCH /me': { good: ['access'], send: bearer('PATCH', '/me', { display_name: 'x' }) },
    'DELETE /me': { good: ['access'], send: bearer('DELETE', '/me') },
    'GET /me/sessions': { good: ['access'], send: bearer('GET', '/me/sessions') },
    'DELETE /me/sessions/{id}': {
      good: ['access'],
      send: (token, user) => app.call('DELETE', `/me/sessions/${user.sessionId}`, { token }),
    },
    'POST /me/password': {
      good: ['access'],
      send: bearer('POST', '/me/password', {
        current_password: PASSWORD,
        new_password: 'another horse battery staple',
      }),
    },
    'POST /reauthenticate': {
      good: ['access'],
      send: bearer('POST', '/reauthenticate', { password: PASSWORD }),
    },
    'POST /logout/all': { good: ['access'], send: bearer('POST', '/logout/all') },
    'POST /email/verify': {
      good: ['access'],
      send: async (token, user) => {
        const email = `${user.userId}@example.com`;
        await app.call('PATCH', '/me', { token: user.access, body: { email } });
        const [letter] = await app.emails(email);
        return app.call('POST', '/email/verify', { token, body: { code: letter?.values['code'] } });
      },
    },
    'POST /email/verify/resend': { good: ['access'], send: bearer('POST', '/email/verify/resend') },
    'GET /me/factors': { good: ['access'], send: bearer('GET', '/me/factors') },
    'POST /me/totp': { good: ['access'], send: bearer('POST', '/me/totp') },
    'POST /me/totp/confirm': {
      good: ['access'],
      send: async (token, user) => {
        const { secret } = (await app.call('POST', '/me/totp', { token: user.access })).body;
        return app.call('POST', '/me/totp/confirm', {
          token,
          body: { code: codeAt(secret, app.clock.now()) },
        });
      },
    },
    'DELETE /me/totp': {
      good: ['access'],
      send: async (token, user) => {
        await enrolIn(app, user.access);
        app.clock.advance(-60_000);
        return app.call('DELETE', '/me/totp', { token });
      },
    },
    'POST /me/recovery-codes': {
      good: ['access'],
      send: async (token, user) => {
        await enrolIn(app, user.access);
        app.clock.advance(-60_000);
        return app.call('POST', '/me/recovery-codes', { token });
      },
    },
    'POST /me/passkeys/options': { good: ['access'], send: bearer('POST', '/me/passkeys/options') },
    'POST /me/passkeys': {
      good: ['access'],
      send: async (token, user) => {
        const begun = await registrationOptions(app, user);
        return app.call('POST', '/me/passkeys', {
          token,
          body: { challenge_id: begun.challenge_id, credential: create(begun.options).credential },
        });
      },
    },
    'PATCH /me/passkeys/{id}': {
      good: ['access'],
      send: async (token, user) =>
        app.call('PATCH', `/me/passkeys/${(await addPasskey(app, user)).id}`, {
          token,
          body: { name: 'x' },
        }),
    },
    'DELETE /me/passkeys/{id}': {
      good: ['access'],
      send: async (token, user) =>
        app.call('DELETE', `/me/passkeys/${(await addPasskey(app, user)).id}`, { token }),
    },
    'GET /me/identities': { good: ['access'], send: bearer('GET', '/me/identities') },
    'POST /me/identities/{provider}': { good: ['access'], send: (token) => link(token) },
    'DELETE /me/identities/{provider}': {
      good: ['access'],
      send: async (token, user) => {
        await link(user.access);
        return app.call('DELETE', '/me/identities/shop', { token });
      },
    },
    'POST /me/phone': {
      good: ['access'],
      send: bearer('POST', '/me/phone', { phone: newNumber() }),
    },
    'POST /me/phone/verify': {
      good: ['access'],
      send: async (token, user) => {
        const phone = newNumber();
        const { body } = await setPhone(app, user.access, phone);
        return verifyPhone(app, token, body.otp_id, codeOf(await app.texts(phone)));
      },
    },
    'DELETE /me/phone': {
      good: ['access'],
      send: async (token, user) => {
        await setPhone(app, user.access, newNumber());
        return app.call('DELETE', '/me/phone', { token });
      },
    },
    'POST /reauthenticate/passkey/options': {
      good: ['access'],
      send: async (token, user) => {
        await addPasskey(app, user);
        return app.call('POST', '/reauthenticate/passkey/options', { token });
      },
    },
    'POST /login/mfa/passkey/options': {
      good: ['challenge'],
      send: async (token, user) => {
        // Written beside the service: enrolling would void the challenge.
        await app.db.write([
          {
            sql: "INSERT INTO passkey (id, user_id, credential_id, public_key, counter, transports, name, aaguid, backup_eligible, backed_up, created_at) VALUES (?, ?, ?, '', 0, '[]', '', '', 0, 0, 0)",
            params: [user.userId, user.userId, user.userId],
            map: () => [],
            returns: false,
          },
        ]);
        return app.call('POST', '/login/mfa/passkey/options', { body: { challenge_token: token } });
      },
    },
    'POST /login/mfa': {
      good: ['challenge'],
      send: async (token, user) => {
        // Written beside the service: enrolling would void the challenge.
        const secret = randomBytes(20);
        await app.db.write([
          {
            sql: 'INSERT INTO totp (user_id, secret_sealed, last_step, created_at) VALUES (?, ?, 0, 0)',
            params: [user.userId, app.kernel.sealer.seal(`totp.secret:${user.userId}`, secret)],
            map: () => [],
            returns: false,
          },
        ]);
        return app.call('POST', '/login/mfa', {
          body: { challenge_token: token, totp: codeAt(base32(secret), app.clock.now()) },
        });
      },
    },
    'GET /verify': { good: ['access'], send: bearer('GET', '/verify') },
    'POST /verify': {
      good: ['access'],
      send: (token) => app.call('POST', '/verify', { body: { token } }),
      refused: ({ status, body }) =>
        status === 200 && body.verified === false && body.claims === undefined,
    },
    'POST /refresh, body': {
      good: ['refresh'],
      send: (token) => app.call('POST', '/refresh', { body: { refresh_token: token } }),
    },
    'POST /refresh, bearer': { good: ['refresh'], send: bearer('POST', '/refresh') },
    'POST /logout, body': {
      good: ['refresh'],
      send: (token) => app.call('POST', '/logout', { body: { refresh_token: token } }),
    },
    'POST /logout, bearer': { good: ['refresh', 'access'], send: bearer('POST', '/logout') },
    'POST /login, device_token': {
      good: ['device'],
      send: (token, user) => app.login(user.username, PASSWORD, { device_token: token }),
      // A device token that is none is not worth a refusal: the sign-in counts on the account, and
      // a new one comes back.
      refused: ({ status, body }, token) =>
        status === 200 && body.device_token !== token && /^d1\./.test(body.device_token),
    },
  };
  const KINDS: readonly Kind[] = [
    'access',
    'refresh',
    'challenge',
    'device',
    'access typed as refresh',
    'refresh typed as access',
    'challenge typed as access',
    'challenge typed as refresh',
    'untyped',
    'typed JWT',
    'status list',
    'ID token',
  ];
  const pairs = Object.keys(PLACES).flatMap((place) => KINDS.map((kind) => [kind, place] as const));

  test('there are more than 60 pairs', () => expect(pairs.length).toBeGreaterThan(60));

  test.each(pairs)('%s at %s', async (kind, name) => {
    const place = PLACES[name];
    if (place === undefined) throw new Error('no place');
    const { token, user } = await mint(kind);
    const reply = await place.send(token, user);
    const refused =
      place.refused?.(reply, token) ??
      (reply.status === 401 && reply.body.code === 'invalid_token');
    expect(refused).toBe(!place.good.includes(kind));
    if (refused) expect((await app.call('GET', '/me', { token: user.access })).status).toBe(200);
    else expect(reply.status).toBeLessThan(300);
  });

  test('every bearer route of the service is among the places', () => {
    const places = new Set(Object.keys(PLACES).map((name) => name.split(',')[0]));
    const missing = app.routes
      .flatMap((route) =>
        route.kind === 'operation' &&
        route.security !== 'public' &&
        route.security.scheme === 'bearer'
          ? [`${route.method.toUpperCase()} ${route.path}`]
          : [],
      )
      .filter((name) => !places.has(name));
    expect(missing).toEqual([]);
  });
});

describe('J10, J11: size and form', () => {
  test.each(oversizedTokens)('%s is refused', async (_, token, status) => {
    const { app } = of('ES256');
    expect(await sendInHeader(app, token)).toBe(status);
    const { status: answer, body } = await app.call('POST', '/verify', { body: { token } });
    const tooLong = token.length > 65_000 ? 413 : 422;
    expect(answer === 200 ? body.verified : answer).toBe(token.length > 16_384 ? tooLong : false);
  });

  test('10 MB are refused before they are read, and memory stays where it was', async () => {
    const { app } = of('ES256');
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 5; i++)
      expect(
        (
          await app
            .call('POST', '/verify', { raw: `{"token":"${'a'.repeat(10_000_000)}"}` })
            .catch(() => ({ status: 413 }))
        ).status,
      ).toBe(413);
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  });

  test('J11: JSON serialisations are refused, in the header and in the body', async () => {
    const { app, user } = of('ES256');
    const [head = '', payload, signature] = user.access.split('.');
    const flat = { protected: head, payload, signature };
    const general = { payload, signatures: [{ protected: head, signature }] };
    for (const form of [flat, general]) {
      expect((await app.call('POST', '/verify', { body: { token: form } })).status).toBe(422);
      expect((await app.call('POST', '/verify', { body: form })).status).toBe(422);
      for (const text of [JSON.stringify(form), encode(form)])
        expect(await taken(app, text.replaceAll(' ', ''))).toEqual(REFUSED);
      expect((await app.call('POST', '/refresh', { body: { refresh_token: form } })).status).toBe(
        422,
      );
    }
    for (const token of [[user.access], null, 1, true, {}])
      expect((await app.call('POST', '/verify', { body: { token } })).status).toBe(422);
    expect((await app.call('POST', '/verify', { body: { token: '' } })).status).toBe(422);
  });
});

describe('J12: Authorization is one line, one scheme in any case, one space, one token', () => {
  const send = async (app: TestApp, path: string, lines: readonly string[]) =>
    (await sendRaw(app.url, request(`GET ${path}`, [...lines, 'Connection: close']))).replies[0];

  test.each(['/me', '/verify'])('GET %s', async (path) => {
    const { app, user } = of('ES256');
    const other = await app.register();
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR'])
      expect([
        scheme,
        (await send(app, path, [`Authorization: ${scheme} ${user.access}`]))?.status,
      ]).toEqual([scheme, path === '/me' ? 200 : 204]);
    const { access } = user;
    const refused: readonly (readonly string[])[] = [
      [`Authorization: Bearer ${access}`, `Authorization: Bearer ${other.access}`],
      [`Authorization: Bearer ${access}`, `authorization: Bearer ${access}`],
      ['Authorization: Basic YTpi', `Authorization: Bearer ${access}`],
      [`Authorization: Bearer  ${access}`],
      [`Authorization: Bearer\t${access}`],
      [`Authorization: Bearer ${access}, Bearer ${other.access}`],
      [`Authorization: Bearer ${access},${other.access}`],
      [`Authorization: Bearer ${access} ${other.access}`],
      [`Authorization: ${access}`],
      [`Authorization: Bearer`],
      [`Authorization: Bearer=${access}`],
      [`Authorization: Bearer "${access}"`],
      [`Authorization: Token ${access}`],
      [`Authorization: DPoP ${access}`],
      [`Authorization: Basic ${access}`],
      [`Authorization: xBearer ${access}`],
      ['Authorization:'],
    ];
    for (const lines of refused) {
      const reply = await send(app, path, lines);
      expect([
        lines.map((line) => line.slice(0, 30)),
        reply?.status,
        JSON.parse(reply?.body ?? '{}').code,
      ]).toEqual([lines.map((line) => line.slice(0, 30)), 401, 'invalid_token']);
    }
  });

  test('a token in the query, a cookie, a form or another header is not looked at', async () => {
    const { app, user } = of('ES256');
    for (const path of ['/me', '/verify']) {
      for (const name of ['access_token', 'token', 'jwt', 'authorization'])
        expect((await send(app, `${path}?${name}=${user.access}`, []))?.status).toBe(401);
      for (const line of [
        `Cookie: access_token=${user.access}; token=${user.access}`,
        `X-Access-Token: ${user.access}`,
        `X-Authorization: Bearer ${user.access}`,
        `Proxy-Authorization: Bearer ${user.access}`,
        `X-Forwarded-Authorization: Bearer ${user.access}`,
        `X-Auth-User: ${user.userId}`,
      ]) {
        expect([line.slice(0, 20), (await send(app, path, [line]))?.status]).toEqual([
          line.slice(0, 20),
          401,
        ]);
      }
    }
    expect(
      (await app.call('POST', '/refresh?refresh_token=' + user.refresh, { body: {} })).status,
    ).toBe(422);
  });

  test('no header at all names no error (RFC 6750 §3.1), and identity headers of the caller come back from nobody', async () => {
    const { app } = of('ES256');
    for (const path of ['/me', '/verify']) {
      const reply = await send(app, path, ['X-Auth-User: forged', 'X-Auth-Acr: aal2']);
      expect([
        reply?.status,
        reply?.headers['www-authenticate'],
        reply?.headers['x-auth-user'],
      ]).toEqual([401, 'Bearer', undefined]);
    }
  });
});

describe('J13: rotation', () => {
  const MINUTE = 60_000;
  const rows = (app: TestApp) =>
    app.db.read({
      sql: 'SELECT kid, private_sealed, public_jwk FROM signing_key',
      params: [],
      map: (all) => all.map((row) => row.map(String)),
      returns: true,
    });

  test.each(['ES256', 'EdDSA'] as const)(
    '%s: the old key verifies until its last token has expired, and then no more',
    async (algorithm) => {
      const app = await createTestApp({ config: `[tokens]\nalgorithm = "${algorithm}"\n` });
      const user = await app.register();
      const oldKey = app.kernel.signingKeys.signingKey();
      const kid = await app.kernel.signingKeys.rotate('access', 10 * MINUTE);
      const kids = async () =>
        (await app.call('GET', '/.well-known/jwks.json')).body.keys.map(
          (key: { kid: string }) => key.kid,
        );
      expect(await kids()).toEqual([oldKey.kid, kid]);
      expect(read((await app.login(user.username)).body.access_token).header['kid']).toBe(
        oldKey.kid,
      );
      app.clock.advance(10 * MINUTE);
      const late = await app.login(user.username);
      expect(read(late.body.access_token).header['kid']).toBe(kid);
      expect(await kids()).toEqual([kid, oldKey.kid]);
      // Until the overlap ends, a token of the old key is good if its own time is.
      const anew = () => {
        const now = Math.floor(app.clock.now() / 1000);
        return forge(oldKey, read(user.access).header, {
          ...read(user.access).claims,
          iat: now,
          nbf: now,
          exp: now + 600,
        });
      };
      expect(await taken(app, anew())).toEqual(TAKEN);
      app.clock.advance(15 * MINUTE);
      expect(await taken(app, anew())).toEqual(TAKEN);
      app.clock.advance(2 * MINUTE);
      expect(await taken(app, anew())).toEqual(REFUSED);
      expect(await kids()).toEqual([kid]);
      expect((await app.call('GET', `/keys/${oldKey.kid}.pem`)).status).toBe(404);
      // A clock that is set back revives nothing that has been verified and remembered, beyond what
      // the time itself allows.
      expect(await taken(app, altered(app, user.access, {}, { kid: oldKey.kid }))).toEqual(REFUSED);
      await app.stop();
    },
  );

  test('a key that is withdrawn fails at once, remembered tokens included', async () => {
    const app = await createTestApp();
    const user = await app.register();
    expect(await taken(app, user.access)).toEqual(TAKEN);
    const oldKid = app.kernel.signingKeys.signingKey().kid;
    const kid = await app.kernel.signingKeys.rotate('access', 0, { withdraw: true });
    expect(await taken(app, user.access)).toEqual(REFUSED);
    expect(
      (await app.call('GET', '/.well-known/jwks.json')).body.keys.map(
        (key: { kid: string }) => key.kid,
      ),
    ).toEqual([kid]);
    expect((await app.call('GET', `/keys/${oldKid}.pem`)).status).toBe(404);
    // The session lives: its refresh token is of another family.
    const refreshed = await app.call('POST', '/refresh', { body: { refresh_token: user.refresh } });
    expect(await taken(app, refreshed.body.access_token)).toEqual(TAKEN);
    await app.stop();
  });

  test('internal keys rotate too: refresh tokens of the old one go on, of a withdrawn one they end', async () => {
    const app = await createTestApp();
    const one = await app.register();
    await app.kernel.signingKeys.rotate('internal', 0);
    const two = await app.register();
    expect(read(two.refresh).header['kid']).not.toBe(read(one.refresh).header['kid']);
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: one.refresh } })).status,
    ).toBe(200);
    const device = await app.login(one.username, PASSWORD, { device_token: one.deviceToken });
    expect(device.body.device_token).toBe(one.deviceToken);
    await app.kernel.signingKeys.rotate('internal', 0, { withdraw: true });
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: two.refresh } })).body.code,
    ).toBe('invalid_token');
    await app.stop();
  });

  test('a second process signs and verifies with the same ring, and learns of a rotation', async () => {
    const app = await createTestApp();
    const twin = await createTestApp({ directory: app.directory });
    const user = await app.register();
    expect(await taken(twin, user.access)).toEqual(TAKEN);
    await app.kernel.signingKeys.rotate('access', 0, { withdraw: true });
    await vi.waitFor(async () => expect(await taken(twin, user.access)).toEqual(REFUSED), {
      timeout: 20_000,
      interval: 50,
    });
    const next = (await app.login(user.username)).body.access_token;
    expect(await taken(twin, next)).toEqual(TAKEN);
    await twin.stop();
    await app.stop();
  });

  test.each(ALGORITHMS)('%s: JWKS and PEM hold nothing private', async (algorithm) => {
    const { app } = of(algorithm);
    const { body, headers } = await app.call('GET', '/.well-known/jwks.json');
    expect(headers.get('content-type')).toBe('application/jwk-set+json');
    for (const key of body.keys) {
      expect(
        Object.keys(key).filter(
          (name) => !['kty', 'kid', 'alg', 'use', 'crv', 'x', 'y', 'n', 'e'].includes(name),
        ),
      ).toEqual([]);
      expect([key.alg, key.use]).toEqual([algorithm, 'sig']);
      const pem = await app.call('GET', `/keys/${key.kid}.pem`);
      expect([pem.status, createPublicKey(pem.body).export({ format: 'jwk' })]).toEqual([
        200,
        expect.objectContaining({ kty: key.kty, ...(key.x === undefined ? {} : { x: key.x }) }),
      ]);
      expect(pem.body).not.toContain('PRIVATE');
    }
    const internal = app.kernel.signingKeys.list().filter(({ purpose }) => purpose === 'internal');
    expect(internal.length).toBeGreaterThan(0);
    for (const { kid } of internal) {
      expect(JSON.stringify(body)).not.toContain(kid);
      expect((await app.call('GET', `/keys/${kid}.pem`)).status).toBe(404);
    }
  });

  test('tokens of unknown keys make no read of the database', async () => {
    const { app, user } = of('ES256');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const reads = vi.spyOn(app.db, 'read');
    const writes = vi.spyOn(app.db, 'write');
    for (let i = 0; i < 200; i++)
      expect(
        (
          await app.call('GET', '/me', {
            token: forge(
              { alg: 'ES256', signKey: privateKey },
              { alg: 'ES256', typ: 'at+jwt', kid: `unknown-${i}` },
              read(user.access).claims,
            ),
          })
        ).status,
      ).toBe(401);
    // Some drivers look now and then for what other processes wrote; that is a matter of time, not
    // of requests.
    expect(reads.mock.calls.length).toBeLessThan(20);
    expect(writes.mock.calls.length).toBe(0);
    expect((await app.call('GET', '/verify', { token: user.access })).status).toBe(204);
    vi.restoreAllMocks();
  });

  test('ASVS 13.3.1: keys lie sealed in the database, and another key-encryption key is refused without a change', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'postern-test-'));
    const own = randomBytes(32);
    const app = await createTestApp({ directory, keyEncryptionKey: own });
    const { access } = await app.register();
    const before = await rows(app);
    const exported = app.kernel.signingKeys.signingKey().signKey?.export({ format: 'jwk' });
    const pkcs8 = app.kernel.signingKeys
      .signingKey()
      .signKey?.export({ type: 'pkcs8', format: 'der' });
    for (const row of before) {
      expect(row.join()).not.toContain(String(exported?.d));
      expect(row.join()).not.toContain(
        Buffer.from(pkcs8 ?? '')
          .toString('base64url')
          .slice(20, 60),
      );
    }
    await app.stop();
    const other = randomBytes(32);
    const refused = createTestApp({ directory, keyEncryptionKey: other });
    await expect(refused).rejects.toThrow(KeysRefused);
    for (const key of [own, other])
      for (const form of ['hex', 'base64', 'base64url'] as const)
        await expect(refused).rejects.not.toThrow(key.toString(form));
    const again = await createTestApp({ directory, keyEncryptionKey: own });
    expect(await rows(again)).toEqual(before);
    expect((await again.call('GET', '/me', { token: access })).status).toBe(200);
    await again.stop();
    // Rotation of the key-encryption key: the former one still opens (ASVS 13.3.4).
    const moved = await createTestApp({
      directory,
      keyEncryptionKey: other,
      config: `[secrets]\nprevious_key_encryption_keys = ["${own.toString('base64')}"]\n`,
    });
    expect((await moved.call('GET', '/me', { token: access })).status).toBe(200);
    await moved.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('a sealed key that is changed, or moved to another row, is refused (ASVS 11.3.3)', async () => {
    for (const change of [
      "UPDATE signing_key SET private_sealed = substr(private_sealed, 1, length(private_sealed) - 4) || 'AAAA'",
      'UPDATE signing_key SET private_sealed = (SELECT private_sealed FROM signing_key other WHERE other.purpose <> signing_key.purpose)',
    ]) {
      const directory = mkdtempSync(join(tmpdir(), 'postern-test-'));
      const app = await createTestApp({ directory });
      await app.db.write([{ sql: change, params: [], map: () => [], returns: false }]);
      await app.stop();
      await expect(createTestApp({ directory })).rejects.toThrow(KeysRefused);
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('a change of the algorithm keeps the tokens that are out', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'postern-test-'));
    const app = await createTestApp({ directory });
    const user = await app.register();
    await app.stop();
    app.clock.advance(1_000);
    const next = await createTestApp({
      directory,
      clock: app.clock,
      config: '[tokens]\nalgorithm = "EdDSA"\n',
    });
    expect(await taken(next, user.access)).toEqual(TAKEN);
    expect(read((await next.login(user.username)).body.access_token).header['alg']).toBe('EdDSA');
    expect(
      (await next.call('GET', '/.well-known/jwks.json')).body.keys.map(
        (key: { alg: string }) => key.alg,
      ),
    ).toEqual(['EdDSA', 'ES256']);
    await next.stop();
    rmSync(directory, { recursive: true, force: true });
  });
});
