/**
 * The built server and the services beside it: a verifier that polls, and OAuth's own client
 * libraries for introspection, revocation, client credentials and exchange.
 */
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VerifierError, createVerifier } from '../../packages/verifier/src/index.ts';
import type { Verifier } from '../../packages/verifier/src/index.ts';
import { ISSUER, startServer } from '../support/process.ts';
import type { Server, SignedIn } from '../support/process.ts';

const BILLING = 'https://billing.example.com';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS = 'urn:ietf:params:oauth:token-type:access_token';
const TTL_MS = 2_000;

let server: Server;
let key: { id: string; secret: string };
beforeAll(async () => {
  server = await startServer({
    config: `[revocation]\nttl = "${TTL_MS / 1_000}s"\n[audiences."${BILLING}"]\nscopes = ["read", "write"]\n`,
  });
  const { stdout } = await server.cli([
    'apikey',
    'create',
    'gateway',
    ...['--scope', 'introspect', '--scope', 'exchange'],
    ...['--audience', BILLING, '--may-exchange-to', BILLING],
  ]);
  const [id = '', secret = ''] = stdout.trim().split(':');
  key = { id, secret };
});
afterAll(() => server.stop());

/** The issuer is a name: its documents are at the address that the server got. */
const fetchThere = (url: string, init?: RequestInit): Promise<Response> =>
  fetch(url.replace(ISSUER, server.url), init);

describe('a verifier that polls', () => {
  const codeOf = async (verifier: Verifier, token: string): Promise<string> => {
    try {
      await verifier.verify(token);
      return 'accepted';
    } catch (error) {
      if (error instanceof VerifierError) return error.code;
      throw error;
    }
  };

  // How soon is measured in test/e2e/sign-out.test.ts.
  test('a sign-out is known at /verify at once, and soon at the verifier', async () => {
    const verifier = createVerifier({ issuer: ISSUER, audience: 'postern', fetch: fetchThere });
    const user = await server.register('ada');
    expect(await codeOf(verifier, user.access)).toBe('accepted');
    await server.call('POST', '/logout', { body: { refresh_token: user.refresh } });
    expect((await server.call('GET', '/verify', { token: user.access })).status).toBe(401);
    await expect
      .poll(() => codeOf(verifier, user.access), { timeout: 20_000, interval: 50 })
      .toBe('revoked');
    verifier.close();
  });

  test('a sign-out by the command line, and one of another process, count too', async () => {
    const verifier = createVerifier({ issuer: ISSUER, audience: 'postern', fetch: fetchThere });
    const user = await server.register('grace');
    expect(await codeOf(verifier, user.access)).toBe('accepted');
    await server.cli(['user', 'logout', 'grace', '--yes']);
    await expect
      .poll(() => codeOf(verifier, user.access), { timeout: 20_000, interval: 100 })
      .toBe('revoked');
    verifier.close();
  });

  test('key rotation under load: no good token is refused', async () => {
    const verifier = createVerifier({ issuer: ISSUER, audience: 'postern', fetch: fetchThere });
    const user = await server.register('rotated');
    const answers = new Map<string, number>();
    let rotated = false;
    const rotation = server.cli(['keys', 'rotate', '--now', '--yes']).then(() => {
      rotated = true;
    });
    let { refresh } = user;
    for (let after = 0; after < 20; ) {
      const { body } = await server.call('POST', '/refresh', { body: { refresh_token: refresh } });
      refresh = body.refresh_token;
      const code = await codeOf(verifier, body.access_token);
      answers.set(code, (answers.get(code) ?? 0) + 1);
      if (rotated) after++;
    }
    await rotation;
    expect([...answers.keys()]).toEqual(['accepted']);
    verifier.close();
  });
});

describe('oauth4webapi', () => {
  const insecure = {
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: (url: string, init: object) => fetchThere(url, init),
  };
  let as: oauth.AuthorizationServer;
  let auth: oauth.ClientAuth;
  let ada: SignedIn;
  const self = (): oauth.Client => ({ client_id: key.id });
  beforeAll(async () => {
    const issuer = new URL(ISSUER);
    const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
    as = await oauth.processDiscoveryResponse(issuer, found);
    auth = oauth.ClientSecretBasic(key.secret);
    ada = await server.register('oauth4webapi');
  });

  test('client credentials, introspection, exchange, revocation', async () => {
    const granted = await oauth.clientCredentialsGrantRequest(
      as,
      self(),
      auth,
      new URLSearchParams({ scope: 'read' }),
      insecure,
    );
    const own = await oauth.processClientCredentialsResponse(as, self(), granted);
    expect([own.token_type, own.scope]).toEqual(['bearer', 'read']);

    const exchanging = await oauth.genericTokenEndpointRequest(
      as,
      self(),
      auth,
      EXCHANGE,
      new URLSearchParams({
        subject_token: ada.access,
        subject_token_type: ACCESS,
        resource: BILLING,
      }),
      insecure,
    );
    const exchanged = await oauth.processGenericTokenEndpointResponse(as, self(), exchanging);
    expect(exchanged).toMatchObject({ issued_token_type: ACCESS, expires_in: 300 });

    const introspect = async (token: string) =>
      oauth.processIntrospectionResponse(
        as,
        self(),
        await oauth.introspectionRequest(as, self(), auth, token, insecure),
      );
    expect(await introspect(exchanged.access_token)).toMatchObject({
      active: true,
      sub: ada.userId,
      aud: BILLING,
      act: { sub: key.id, name: 'gateway' },
    });
    const revoked = await oauth.revocationRequest(as, self(), auth, ada.access, insecure);
    expect(await oauth.processRevocationResponse(revoked)).toBeUndefined();
    expect(await introspect(exchanged.access_token)).toEqual({ active: false });
  });

  test('a wrong secret is answered as RFC 6749 requires', async () => {
    const wrong = oauth.ClientSecretBasic('wrong');
    const reply = await oauth.introspectionRequest(as, self(), wrong, ada.access, insecure);
    await expect(oauth.processIntrospectionResponse(as, self(), reply)).rejects.toThrow();
    expect(reply.status).toBe(401);
  });
});

test('openid-client: discovery, client credentials, introspection, exchange, revocation', async () => {
  const ada = await server.register('openid-client');
  const config = await client.discovery(
    new URL(ISSUER),
    key.id,
    undefined,
    client.ClientSecretBasic(key.secret),
    {
      algorithm: 'oauth2',
      execute: [client.allowInsecureRequests],
      [client.customFetch]: (url: string, init: object) => fetchThere(url, init),
    },
  );
  const own = await client.clientCredentialsGrant(config, { resource: BILLING });
  expect(own.scope).toBe('read write');
  const exchanged = await client.genericGrantRequest(config, EXCHANGE, {
    subject_token: ada.access,
    subject_token_type: ACCESS,
    resource: BILLING,
    scope: 'write',
  });
  expect(await client.tokenIntrospection(config, exchanged.access_token)).toMatchObject({
    active: true,
    scope: 'write',
    sub: ada.userId,
  });
  await client.tokenRevocation(config, ada.refresh);
  expect(await client.tokenIntrospection(config, exchanged.access_token)).toEqual({
    active: false,
  });
});
