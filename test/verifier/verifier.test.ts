/** The verifier against a real issuer: what it accepts, refuses and fetches. */
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VerifierError, createVerifier, hasScope } from '../../packages/verifier/src/index.ts';
import { makeKey, postForm } from '../support/api-key.ts';
import { ISSUER, createIssuer } from './issuer.ts';
import type { Issuer } from './issuer.ts';

const BILLING = 'https://billing.example.com';
const CONFIG = `[audiences."${BILLING}"]\nscopes = ["read", "write"]\n`;
const JWKS = '/.well-known/jwks.json';
const LIST = '/status-lists/0';

let issuer: Issuer;
beforeAll(async () => {
  issuer = await createIssuer({ config: CONFIG });
});
afterAll(() => issuer.stop());

const refusing = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof VerifierError) return error.code;
    throw error;
  }
  return 'accepted';
};

const logout = ({ app }: Issuer, refresh: string) =>
  app.call('POST', '/logout', { body: { refresh_token: refresh } });

describe('a good token', () => {
  test('gives its typed claims', async () => {
    const user = await issuer.app.register();
    const claims = await issuer.verifier().verify(user.access);
    expect(claims).toMatchObject({ sub: user.userId, sid: user.sessionId, acr: 'aal1' });
  });

  test('of another audience is good there alone', async () => {
    const user = await issuer.app.register();
    const { body } = await issuer.app.call('POST', '/refresh', {
      body: { refresh_token: user.refresh, resource: BILLING },
    });
    const billing = issuer.verifier({ audience: BILLING });
    const claims = await billing.verify(body.access_token);
    expect([hasScope(claims, 'read'), hasScope(claims, 'rea')]).toEqual([true, false]);
    expect(await refusing(issuer.verifier().verify(body.access_token))).toBe('wrong_audience');
    expect(await refusing(billing.verify(user.access))).toBe('wrong_audience');
  });

  test('of a service is for those alone who ask for any', async () => {
    const key = await makeKey(issuer.app, 'gateway', { audiences: [BILLING] });
    const { body } = await postForm(
      issuer.app,
      '/token',
      { grant_type: 'client_credentials' },
      key.basic,
    );
    const billing = issuer.verifier({ audience: BILLING });
    expect((await billing.verifyAny(body.access_token)).sub).toBe(key.id);
    expect(await refusing(billing.verify(body.access_token))).toBe('service_token');
  });

  test.each(['RS256', 'PS256', 'EdDSA', 'ES384', 'ES512'])('of %s', async (algorithm) => {
    const own = await createIssuer({ config: `[tokens]\nalgorithm = "${algorithm}"\n` });
    const user = await own.app.register();
    expect((await own.verifier().verify(user.access)).sub).toBe(user.userId);
    const narrow = own.verifier({ algorithms: ['ES256'] });
    expect(await refusing(narrow.verify(user.access))).toBe('unknown_key');
    await own.stop();
  });
});

describe('a bad token', () => {
  test('of each kind has a code of its own', async () => {
    const { app } = issuer;
    const user = await app.register();
    const verifier = issuer.verifier();
    const [head = '', payload = '', signature = ''] = user.access.split('.');
    const encoded = (value: unknown): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString());
    const list = (await app.call('GET', LIST)).body;
    const last = signature.at(-1) ?? '';
    const spare = String.fromCharCode(last.charCodeAt(0) + 1);
    const bad: readonly (readonly [name: string, token: string, code: string])[] = [
      ['nothing', '', 'malformed'],
      ['two parts', `${head}.${payload}`, 'malformed'],
      ['padding', `${user.access}=`, 'malformed'],
      ['a space', ` ${user.access}`, 'malformed'],
      ['spare bits', `${user.access.slice(0, -1)}${spare}`, 'malformed'],
      ['8,000 characters', `${head}.${'a'.repeat(8_000)}.${signature}`, 'malformed'],
      [
        'no kid',
        `${encoded({ alg: 'ES256', typ: 'at+jwt' })}.${payload}.${signature}`,
        'malformed',
      ],
      ['alg none', `${encoded({ ...header, alg: 'none' })}.${payload}.${signature}`, 'unknown_key'],
      [
        'alg HS256',
        `${encoded({ ...header, alg: 'HS256' })}.${payload}.${signature}`,
        'unknown_key',
      ],
      ['another kid', `${encoded({ ...header, kid: 'x' })}.${payload}.${signature}`, 'unknown_key'],
      ['altered claims', `${head}.${encoded({ sub: 'root' })}.${signature}`, 'bad_signature'],
      ['a status list', list, 'wrong_type'],
      ['a refresh token', user.refresh, 'unknown_key'],
    ];
    for (const [name, token, code] of bad)
      expect([name, await refusing(verifier.verify(token))]).toEqual([name, code]);
    const elsewhere = issuer.verifier({
      issuer: 'https://other.example.com',
      jwksUri: ISSUER + JWKS,
    });
    expect(await refusing(elsewhere.verify(user.access))).toBe('wrong_issuer');
  });

  test('expires 60 seconds late at most, also one that was seen; the future is no place to come from', async () => {
    const own = await createIssuer();
    const user = await own.app.register();
    const verifier = own.verifier({ status: 'ignored' });
    await verifier.verify(user.access);
    own.app.clock.advance(15 * 60_000 + 59_000);
    await verifier.verify(user.access);
    own.app.clock.advance(1_000);
    expect(await refusing(verifier.verify(user.access))).toBe('expired');
    expect(await refusing(own.verifier().verify(user.access))).toBe('expired');
    own.app.clock.advance(-17 * 60_000 - 1);
    expect(await refusing(verifier.verify(user.access))).toBe('not_yet_valid');
    await own.stop();
  });
});

describe('revocation', () => {
  test('is known within the ttl of the list', async () => {
    const own = await createIssuer();
    const verifier = own.verifier();
    const user = await own.app.register();
    await verifier.verify(user.access);
    await logout(own, user.refresh);
    own.app.clock.advance(15_000);
    expect(await refusing(verifier.verify(user.access))).toBe('revoked');
    await own.stop();
  });

  test('asks for the list once a ttl, whatever comes, and with its ETag', async () => {
    const own = await createIssuer();
    const verifier = own.verifier();
    const users = await Promise.all([own.app.register(), own.app.register()]);
    await Promise.all(users.flatMap(({ access }) => [1, 2, 3].map(() => verifier.verify(access))));
    expect(own.fetched).toEqual([JWKS, LIST]);
    own.app.clock.advance(14_999);
    for (const { access } of users) await verifier.verify(access);
    expect(own.fetched.length).toBe(2);
    own.app.clock.advance(1);
    for (const { access } of users) await verifier.verify(access);
    expect(own.fetched).toEqual([JWKS, LIST, LIST]);
    const line = own.app.log.findLast((one) => one['http.route'] === '/status-lists/{n}');
    expect(line?.['http.response.status_code']).toBe(304);
    await own.stop();
  });

  test('with the list out of reach: what is known holds until its exp, then the stance', async () => {
    const own = await createIssuer();
    const accepting = own.verifier();
    const refuses = own.verifier({ unavailable: 'refuse' });
    const [stays, leaves] = [await own.app.register(), await own.app.register()];
    await logout(own, leaves.refresh);
    await accepting.verify(stays.access);
    await refuses.verify(stays.access);
    own.state = 'down';
    own.app.clock.advance(60_000);
    for (const verifier of [accepting, refuses]) {
      await verifier.verify(stays.access);
      expect(await refusing(verifier.verify(leaves.access))).toBe('revoked');
    }
    own.app.clock.advance(5 * 60_000);
    await accepting.verify(stays.access);
    expect(await refusing(accepting.verify(leaves.access))).toBe('revoked');
    const late = await refusing(refuses.verify(stays.access));
    expect([late, new VerifierError('status_unavailable').status]).toEqual([
      'status_unavailable',
      503,
    ]);
    own.state = 'up';
    own.app.clock.advance(5_000);
    await refuses.verify(stays.access);
    await own.stop();
  });

  test('an issuer that accepts and does not answer: one wait, then what is known, until it is back', async () => {
    const own = await createIssuer();
    const hanging: ((error: Error) => void)[] = [];
    let hangs = false;
    const verifier = own.verifier({
      fetch: (url, init) =>
        hangs ? new Promise((_, reject) => hanging.push(reject)) : own.fetch(url, init),
    });
    const [stays, leaves] = [await own.app.register(), await own.app.register()];
    for (const { access } of [stays, leaves]) await verifier.verify(access);
    hangs = true;
    await logout(own, leaves.refresh);
    own.app.clock.advance(15_000);
    await verifier.verify(stays.access);
    // The fetch is under way still, and nobody waits for it any more.
    const answered = Promise.all([1, 2, 3].map(() => verifier.verify(stays.access)));
    const turn = new Promise((resolve) => setImmediate(() => resolve('waits')));
    expect(await Promise.race([answered.then(() => 'answered'), turn])).toBe('answered');
    expect(hanging.length).toBe(1);
    hangs = false;
    hanging[0]?.(new TypeError('fetch failed'));
    await expect
      .poll(() => {
        own.app.clock.advance(1_000);
        return refusing(verifier.verify(leaves.access));
      })
      .toBe('revoked');
    await own.stop();
  });

  test('a list that was never had: accepted, or refused', async () => {
    const own = await createIssuer({ config: '[revocation]\nstatus_list = true\n' });
    const user = await own.app.register();
    await own.verifier().verify(user.access);
    const onlyKeys: Issuer['fetch'] = async (url, init) => {
      if (url.includes('status-lists')) throw new TypeError('fetch failed');
      return own.fetch(url, init);
    };
    await own.verifier({ fetch: onlyKeys }).verify(user.access);
    const strict = own.verifier({ fetch: onlyKeys, unavailable: 'refuse' });
    expect(await refusing(strict.verify(user.access))).toBe('status_unavailable');
    await own.stop();
  });

  test('tokens without a list: accepted, or refused where one is required', async () => {
    const own = await createIssuer({ config: '[revocation]\nstatus_list = false\n' });
    const user = await own.app.register();
    await own.verifier().verify(user.access);
    expect(await refusing(own.verifier({ status: 'required' }).verify(user.access))).toBe(
      'status_unavailable',
    );
    await own.stop();
  });
});

describe('keys', () => {
  test('1,000 made-up key ids cause one fetch a cool-down', async () => {
    const own = await createIssuer();
    const user = await own.app.register();
    const verifier = own.verifier({ status: 'ignored' });
    await verifier.verify(user.access);
    const { privateKey } = await generateKeyPair('ES256');
    const storm = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) =>
        new SignJWT({})
          .setProtectedHeader({ alg: 'ES256', kid: `k${i}`, typ: 'at+jwt' })
          .sign(privateKey),
      ),
    );
    own.fetched.length = 0;
    for (const token of storm) expect(await refusing(verifier.verify(token))).toBe('unknown_key');
    expect(own.fetched).toEqual([JWKS]);
    own.app.clock.advance(30_000);
    await Promise.all(storm.map((token) => refusing(verifier.verify(token))));
    expect(own.fetched).toEqual([JWKS, JWKS]);
    await own.stop();
  });

  test('a rotation without notice costs one fetch, one ahead of its use none', async () => {
    const own = await createIssuer();
    const verifier = own.verifier({ status: 'ignored' });
    const user = await own.app.register();
    await verifier.verify(user.access);
    await own.app.kernel.signingKeys.rotate('access', 600_000);
    own.app.clock.advance(300_000);
    await verifier.verify(user.access);
    await expect.poll(() => own.fetched.length).toBe(2);
    own.app.clock.advance(299_000);
    await own.app.call('GET', '/healthz');
    await verifier.verify(user.access);
    own.app.clock.advance(1_000);
    const login = await own.app.login(user.username);
    const before = own.fetched.length;
    await verifier.verify(login.body.access_token);
    expect(own.fetched.length).toBe(before);
    await own.app.kernel.signingKeys.rotate('access', 0);
    const next = await own.app.login(user.username);
    await verifier.verify(next.body.access_token);
    expect(own.fetched.length).toBe(before + 1);
    await own.stop();
  });

  test('known ones go on for an hour when they can’t be fetched', async () => {
    const own = await createIssuer({ config: '[revocation]\nstatus_list = false\n' });
    const verifier = own.verifier();
    const first = await own.app.register();
    await verifier.verify(first.access);
    own.state = 'down';
    own.app.clock.advance(59 * 60_000);
    const { body } = await own.app.login(first.username);
    await verifier.verify(body.access_token);
    own.app.clock.advance(2 * 60_000);
    expect(await refusing(verifier.verify(body.access_token))).toBe('keys_unavailable');
    own.state = 'up';
    own.app.clock.advance(5_000);
    await verifier.verify(body.access_token);
    await own.stop();
  });

  test('a withdrawn one is refused once the JWKS was fetched again, for seen tokens too', async () => {
    const own = await createIssuer({ config: '[revocation]\nstatus_list = false\n' });
    const verifier = own.verifier();
    const user = await own.app.register();
    await verifier.verify(user.access);
    await own.app.kernel.signingKeys.rotate('access', 0, { withdraw: true });
    own.app.clock.advance(300_000);
    await refusing(verifier.verify(user.access));
    await expect.poll(() => refusing(verifier.verify(user.access))).toBe('unknown_key');
    await own.stop();
  });

  test('without an algorithm, of another use or with a secret are not taken', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const jwk = await exportJWK(publicKey);
    const token = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES256', kid: 'a', typ: 'at+jwt' })
      .sign(privateKey);
    const secret = { kty: 'oct', kid: 'a', alg: 'ES256', k: 'AAAA' };
    for (const keys of [[{ ...jwk, kid: 'a' }], [secret], [{ ...jwk, alg: 'ES256' }], [null]]) {
      const verifier = createVerifier({
        issuer: ISSUER,
        audience: 'postern',
        fetch: async () => Response.json({ keys }),
        cooldownMs: 0,
      });
      expect(await refusing(verifier.verify(token))).toBe('unknown_key');
    }
  });

  test.each<[name: string, answer: () => Response]>([
    ['an error', () => new Response('', { status: 500 })],
    ['no JSON', () => new Response('<html>')],
    ['no JWKS', () => Response.json([])],
    ['keys that are no list', () => Response.json({ keys: 1 })],
    ['2 MB', () => new Response('a'.repeat(2_000_000))],
    ['a 304 that nobody asked for', () => new Response(null, { status: 304 })],
  ])('%s for a JWKS: keys_unavailable', async (_, answer) => {
    const user = await issuer.app.register();
    const verifier = createVerifier({
      issuer: ISSUER,
      audience: 'postern',
      fetch: async () => answer(),
      now: () => issuer.app.clock.now(),
    });
    expect(await refusing(verifier.verify(user.access))).toBe('keys_unavailable');
  });
});

describe('a hostile status list', () => {
  const withList = (list: string) => {
    const fetch: Issuer['fetch'] = async (url, init) =>
      url.includes('status-lists') ? new Response(list) : issuer.fetch(url, init);
    return issuer.verifier({ fetch, unavailable: 'refuse' });
  };

  test('is not believed', async () => {
    const user = await issuer.app.register();
    const good = String((await issuer.app.call('GET', LIST)).body);
    await withList(good).verify(user.access);
    const [head, , signature] = good.split('.');
    const forged = Buffer.from(JSON.stringify({ status_list: { bits: 1, lst: 'eJwDAAAAAAE' } }));
    for (const list of [
      '',
      'x',
      user.access,
      `${head}.${forged.toString('base64url')}.${signature}`,
    ])
      expect(await refusing(withList(list).verify(user.access))).toBe('status_unavailable');
  });
});
