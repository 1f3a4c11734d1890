/** ID tokens that are refused: I01 to I03. */
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { createHash, createSecretKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLIENT_ID } from './issuer.ts';
import { person, startRig } from './story.ts';
import type { ExternalRig } from './story.ts';

let rig: ExternalRig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const present = (idToken: string, nonce: string) =>
  rig.app.call('POST', '/login/external/shop', { body: { id_token: idToken, nonce } });
const refused = ({ status, body }: { status: number; body: { code?: string } }) =>
  expect([status, body.code]).toEqual([401, 'invalid_credentials']);

describe('I01', () => {
  test('claims of another audience, party, issuer or time are refused', async () => {
    const seconds = Math.floor(rig.app.clock.now() / 1000);
    const wrong: readonly Record<string, unknown>[] = [
      { aud: 'another-app' },
      { aud: [CLIENT_ID, 'another-app'], azp: CLIENT_ID },
      { aud: [CLIENT_ID, CLIENT_ID] },
      { azp: 'another-app' },
      { iss: 'https://accounts.google.com' },
      { iss: `${rig.issuer.url}/` },
      { exp: seconds - 61 },
      { iat: seconds - 3_700, exp: seconds + 300 },
      { iat: seconds + 120 },
      { exp: undefined },
      { nonce: 'another' },
      { nonce: undefined },
      { nonce: ['x'] },
      { sub: '' },
      { sub: undefined },
      { sub: 'x'.repeat(256) },
    ];
    for (const claims of wrong) refused(await rig.signIn({ ...person('eve'), ...claims }));
    expect((await rig.signIn(person('eve'))).status).toBe(200);
  });

  test('tokens that are unsigned, signed with what is public, or of another kind are refused', async () => {
    const seconds = Math.floor(rig.app.clock.now() / 1000);
    const claims = {
      iss: rig.issuer.url,
      aud: CLIENT_ID,
      sub: 'mallory',
      iat: seconds,
      exp: seconds + 300,
    };
    const nonce = await rig.nonce();
    refused(await present(new UnsecuredJWT({ ...claims, nonce }).encode(), nonce));
    const shared = createSecretKey(Buffer.from(CLIENT_ID.padEnd(32, '-')));
    const symmetric = await new SignJWT({ ...claims, nonce })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(shared);
    refused(await present(symmetric, nonce));
    const { privateKey } = await generateKeyPair('ES256');
    const foreign = await new SignJWT({ ...claims, nonce })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .sign(privateKey);
    refused(await present(foreign, nonce));
    const access = await rig.issuer.idToken({ ...person('mallory'), nonce }, { typ: 'at+jwt' });
    refused(await present(access, nonce));
    const { access: own } = await rig.app.register();
    refused(await present(own, nonce));
    for (const text of ['x', 'a.b.c', '..', 'x'.repeat(16_000)])
      refused(await present(text, nonce));
    // None of them spent the nonce.
    const right = await rig.issuer.idToken({ ...person('mallory'), nonce });
    expect((await present(right, nonce)).status).toBe(200);
  });

  test('a nonce is made here, for this provider, lasts ten minutes and is good for one of fifty at once', async () => {
    const made = 'n1.AAAAAAAAAAAAAAAAAAAAAA.zzzzzz.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
    for (const nonce of ['chosen', made])
      refused(await present(await rig.issuer.idToken({ ...person('n'), nonce }), nonce));
    const old = await rig.nonce();
    rig.app.clock.advance(600_000);
    refused(await present(await rig.issuer.idToken({ ...person('n'), nonce: old }), old));
    const nonce = await rig.nonce();
    const token = await rig.issuer.idToken({ ...person('n'), nonce });
    const replies = await Promise.all(Array.from({ length: 50 }, () => present(token, nonce)));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 401)).toHaveLength(49);
  });

  test('the SHA-256 of the nonce counts as it, as apps for iOS send it', async () => {
    const nonce = await rig.nonce();
    const hashed = createHash('sha256').update(nonce).digest('hex');
    const token = await rig.issuer.idToken({ ...person('ios'), nonce: hashed });
    expect((await present(token, nonce)).status).toBe(200);
  });
});

describe('I02', () => {
  test('an address is verified by true alone, and never links an account', async () => {
    const email = 'target@example.com';
    expect((await rig.signIn(person('target', email))).status).toBe(200);
    const thief = await rig.signIn(person('thief', email));
    expect([thief.status, thief.body.code]).toEqual([409, 'account_exists']);
    for (const [index, verified] of [false, 'true', 1, undefined].entries()) {
      const { body } = await rig.signIn({
        ...person(`sly-${index}`),
        email,
        email_verified: verified,
      });
      const me = (await rig.app.call('GET', '/me', { token: body.access_token })).body;
      expect([me.email, me.pending_email]).toEqual([null, null]);
    }
    const odd = await rig.signIn({
      ...person('odd'),
      email: 'not an address',
      email_verified: true,
      name: 'a\u0000b',
    });
    const me = (await rig.app.call('GET', '/me', { token: odd.body.access_token })).body;
    expect([me.email, me.display_name]).toEqual([null, null]);
  });

  test('a provider whose addresses are not trusted verifies none', async () => {
    const wary = await startRig({ settings: 'trust_email = false\n' });
    const { body } = await wary.signIn(person('any', 'any@example.com'));
    const me = (await wary.app.call('GET', '/me', { token: body.access_token })).body;
    expect(me.email).toBeNull();
    await wary.stop();
  });
});

describe('I03', () => {
  const PAUSE = 6_000;
  const STALE = 25 * 3_600_000;
  const unavailable = ({ status, body, headers }: Awaited<ReturnType<ExternalRig['signIn']>>) =>
    expect([status, body.code, headers.get('retry-after')]).toEqual([
      503,
      'provider_unavailable',
      '5',
    ]);

  test('made-up key ids cause one fetch in a cool-down; a new key is found after it', async () => {
    await rig.signIn(person('early'));
    rig.wait(31_000);
    const before = rig.issuer.fetches();
    for (let i = 0; i < 100; i++) {
      const nonce = await rig.nonce();
      const token = await rig.issuer.idToken({ ...person('x'), nonce }, { kid: `made-up-${i}` });
      refused(await present(token, nonce));
    }
    expect(rig.issuer.fetches() - before).toBe(1);
    await rig.issuer.rotate('now');
    refused(await rig.signIn(person('rotated')));
    rig.wait(31_000);
    expect((await rig.signIn(person('rotated'))).status).toBe(200);
  });

  test('a host that fails, redirects, answers too much or nothing sensible is unavailable', async () => {
    const answers = [
      { status: 500 },
      { status: 302, headers: { location: 'http://169.254.169.254/latest/meta-data' } },
      { status: 200, body: `{"keys":[${' '.repeat(300_000)}]}` },
      { status: 200, body: 'not JSON' },
      { status: 200, body: '[]' },
    ];
    for (const answer of answers) {
      rig.wait(STALE);
      rig.issuer.instead.set('/keys', answer);
      unavailable(await rig.signIn(person('early')));
      // Nobody waits for it again at once, and others are not affected.
      const asked = rig.issuer.fetches();
      unavailable(await rig.signIn(person('early')));
      expect(rig.issuer.fetches()).toBe(asked);
      expect((await rig.app.register()).access).toBeDefined();
    }
    const { access } = await rig.app.register();
    unavailable(await rig.link(access, person('early')));
    rig.issuer.instead.delete('/keys');
    rig.wait(PAUSE);
    expect((await rig.signIn(person('early'))).status).toBe(200);
  });

  test('metadata of another issuer, or with keys at an odd place, is not followed', async () => {
    for (const metadata of [
      { issuer: 'https://evil.example.com', jwks_uri: `${rig.issuer.url}/keys` },
      { issuer: rig.issuer.url, jwks_uri: 'http://169.254.169.254/keys' },
      { issuer: rig.issuer.url, jwks_uri: 'file:///etc/passwd' },
      { issuer: rig.issuer.url },
    ]) {
      rig.wait(STALE);
      rig.issuer.instead.set('/.well-known/openid-configuration', {
        status: 200,
        body: JSON.stringify(metadata),
      });
      const asked = rig.issuer.fetches();
      unavailable(await rig.signIn(person('early')));
      expect(rig.issuer.fetches()).toBe(asked);
    }
    rig.issuer.instead.delete('/.well-known/openid-configuration');
    rig.wait(PAUSE);
  });

  test('while it is down, its last keys are used for a day', async () => {
    expect((await rig.signIn(person('early'))).status).toBe(200);
    rig.issuer.instead.set('/keys', { status: 503 });
    rig.wait(11 * 60_000);
    expect((await rig.signIn(person('early'))).status).toBe(200);
    expect(
      rig.app.log.filter(({ event }) => event === 'provider.unavailable').length,
    ).toBeGreaterThan(0);
    rig.wait(STALE);
    unavailable(await rig.signIn(person('early')));
    rig.issuer.instead.delete('/keys');
    rig.wait(PAUSE);
  });
});
