/**
 * Real tokens of the built server, verified by other people's libraries from its JWKS, and refused
 * by them where they must be.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import jsonwebtoken from 'jsonwebtoken';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import jwksRsa from 'jwks-rsa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ISSUER, ask, newDirectory, startServer } from '../support/process.ts';
import type { Reply, Server, SignedIn } from '../support/process.ts';
import { PEERS, freePort, isMissing, relocated, startEcho, startPeer } from '../support/peers.ts';

type Algorithm = 'ES256' | 'RS256';

/** What must be refused, and by what it differs from the good token. */
function refusable(ada: SignedIn): Record<string, string> {
  const [header = '', payload = '', signature = ''] = ada.access.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const encoded = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    'an altered claim': `${header}.${encoded({ ...claims, sub: 'root' })}.${signature}`,
    'an altered signature': `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
    'no signature': `${encoded({ alg: 'none', typ: 'at+jwt' })}.${payload}.`,
    'a refresh token': ada.refresh,
  };
}

describe.each<Algorithm>(['ES256', 'RS256'])('%s', (algorithm) => {
  let server: Server;
  let ada: SignedIn;
  let jwksUrl: string;
  beforeAll(async () => {
    server = await startServer({ env: { POSTERN_TOKENS_ALGORITHM: algorithm } });
    ada = await server.register('ada');
    jwksUrl = `${server.url}/.well-known/jwks.json`;
  });
  afterAll(() => server.stop());

  const expectClaims = (payload: Record<string, unknown>): void => {
    expect(payload).toMatchObject({
      iss: ISSUER,
      aud: 'postern',
      client_id: 'postern',
      sub: ada.userId,
      sid: ada.sessionId,
      amr: ['pwd'],
      acr: 'aal1',
    });
    expect(Number(payload['exp']) - Number(payload['iat'])).toBe(900);
  };

  test('the metadata leads to the keys, and each key says what it is for', async () => {
    const { body } = await server.call('GET', '/.well-known/oauth-authorization-server');
    expect(body).toMatchObject({ issuer: ISSUER, jwks_uri: `${ISSUER}/.well-known/jwks.json` });
    const { body: jwks } = await server.call('GET', '/.well-known/jwks.json');
    expect(jwks.keys).toEqual([
      expect.objectContaining({ alg: algorithm, use: 'sig', kid: expect.any(String) }),
    ]);
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'])
      expect(jwks.keys[0][secret]).toBeUndefined();
  });

  describe('jose', () => {
    const options = { issuer: ISSUER, audience: 'postern', typ: 'at+jwt', algorithms: [algorithm] };

    test('verifies by createRemoteJWKSet with issuer, audience, type and algorithm', async () => {
      const { payload, protectedHeader } = await jwtVerify(
        ada.access,
        createRemoteJWKSet(new URL(jwksUrl)),
        options,
      );
      expectClaims(payload);
      expect(protectedHeader).toMatchObject({ typ: 'at+jwt', alg: algorithm });
    });

    test('refuses what is altered, unsigned or another kind of token, and each other expectation', async () => {
      const keys = createRemoteJWKSet(new URL(jwksUrl));
      for (const [what, token] of Object.entries(refusable(ada)))
        await expect(jwtVerify(token, keys, options), what).rejects.toThrow();
      for (const other of [
        { issuer: 'https://evil.example.com' },
        { audience: 'other' },
        { typ: 'JWT' },
        { algorithms: ['PS256'] },
        { currentDate: new Date(Date.now() + 901_000) },
      ]) {
        await expect(jwtVerify(ada.access, keys, { ...options, ...other })).rejects.toThrow();
      }
    });

    test('learns a key that is rotated in by itself, and goes on trusting the old one', async () => {
      const keys = createRemoteJWKSet(new URL(jwksUrl), { cooldownDuration: 0 });
      await jwtVerify(ada.access, keys, options);
      const { stdout } = await server.cli(['keys', 'rotate', '--now', '--json']);
      let access = '';
      await expect
        .poll(
          async () => {
            access = (await server.login('ada')).body.access_token;
            return JSON.parse(Buffer.from(access.split('.')[0] ?? '', 'base64url').toString()).kid;
          },
          { timeout: 5_000 },
        )
        .toBe(JSON.parse(stdout).kid);
      expectClaims((await jwtVerify(ada.access, keys, options)).payload);
      expect((await jwtVerify(access, keys, options)).payload.sub).toBe(ada.userId);
    });
  });

  describe('jsonwebtoken with jwks-rsa', () => {
    const verify = async (
      token: string,
      options: jsonwebtoken.VerifyOptions = {},
    ): Promise<jsonwebtoken.JwtPayload> => {
      const client = jwksRsa({ jwksUri: jwksUrl });
      const decoded = jsonwebtoken.decode(token, { complete: true });
      if (decoded === null) throw new Error('no token');
      const key = await client.getSigningKey(decoded.header.kid);
      const payload = jsonwebtoken.verify(token, key.getPublicKey(), {
        issuer: ISSUER,
        audience: 'postern',
        algorithms: [algorithm],
        ...options,
      });
      if (typeof payload === 'string') throw new Error('no claims');
      return payload;
    };

    test('verifies with issuer, audience and algorithm', async () => {
      expectClaims(await verify(ada.access));
    });

    test('refuses what is altered, unsigned or another kind of token, and each other expectation', async () => {
      for (const [what, token] of Object.entries(refusable(ada)))
        await expect(verify(token), what).rejects.toThrow();
      for (const other of [
        { issuer: 'https://evil.example.com' },
        { audience: 'other' },
        { clockTimestamp: Math.floor(Date.now() / 1_000) + 901 },
      ])
        await expect(verify(ada.access, other)).rejects.toThrow();
    });
  });

  describe.skipIf(isMissing('pyjwt'))('PyJWT', () => {
    const SCRIPT = `
import json, sys, jwt
url, token, issuer, audience, algorithm = sys.argv[1:]
key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
if jwt.get_unverified_header(token)["typ"] != "at+jwt": raise SystemExit("another kind of token")
print(json.dumps(jwt.decode(token, key.key, algorithms=[algorithm], audience=audience, issuer=issuer)))
`;
    const verify = (
      token: string,
      issuer = ISSUER,
      audience = 'postern',
    ): { status: number | null; stdout: string } =>
      spawnSync(PEERS.pyjwt.path, ['-c', SCRIPT, jwksUrl, token, issuer, audience, algorithm], {
        encoding: 'utf8',
      });

    test('verifies by PyJWKClient with issuer, audience and algorithm', () => {
      const { status, stdout } = verify(ada.access);
      expect(status).toBe(0);
      expectClaims(JSON.parse(stdout));
    });

    test('refuses what is altered, unsigned or another kind of token, another issuer and another audience', () => {
      for (const [what, token] of Object.entries(refusable(ada)))
        expect([what, verify(token).status]).toEqual([what, 1]);
      expect(verify(ada.access, 'https://evil.example.com').status).toBe(1);
      expect(verify(ada.access, ISSUER, 'other').status).toBe(1);
    });
  });

  describe.skipIf(isMissing('haproxy'))('HAProxy', () => {
    test('verifies by the PEM of GET /keys/{kid}.pem with the published configuration', async () => {
      const kid = JSON.parse(
        Buffer.from(ada.access.split('.')[0] ?? '', 'base64url').toString(),
      ).kid;
      const pem = await server.call('GET', `/keys/${kid}.pem`);
      expect([pem.status, pem.headers['content-type']]).toEqual([200, 'application/x-pem-file']);
      const [echo, port, directory] = [await startEcho(), await freePort(), newDirectory()];
      writeFileSync(join(directory, 'postern.pem'), pem.body);
      const config = relocated(
        readFileSync(new URL('../../examples/haproxy/haproxy.cfg', import.meta.url), 'utf8'),
        {
          ES256: algorithm,
          '/etc/haproxy/postern.pem': join(directory, 'postern.pem'),
          'https://auth.example.com': ISSUER,
          '127.0.0.1:8080': `127.0.0.1:${port}`,
          '127.0.0.1:3000': `127.0.0.1:${echo.port}`,
        },
      );
      writeFileSync(join(directory, 'haproxy.cfg'), config);
      const peer = await startPeer(
        [PEERS.haproxy.path, '-db', '-f', join(directory, 'haproxy.cfg')],
        directory,
        port,
      );
      const call = (token: string): Promise<Reply> =>
        ask({ host: '127.0.0.1', port }, 'GET', '/', { token });
      const { status, body } = await call(ada.access);
      expect([status, body.headers['x-auth-user']]).toEqual([200, ada.userId]);
      for (const [what, token] of Object.entries(refusable(ada)))
        expect([what, (await call(token)).status]).toEqual([what, 401]);
      await peer.stop();
      await echo.stop();
    });
  });
});
