/** examples/caddy, run by the real Caddy as it is but for addresses. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ISSUER, PASSWORD, ask, newDirectory, startServer } from '../support/process.ts';
import type { CallOptions, Reply, Server, SignedIn } from '../support/process.ts';
import { freePort, isMissing, startEcho, startPeer } from '../support/peers.ts';
import type { Peer } from '../support/peers.ts';
import { caddy } from '../support/proxies.ts';

/** Headers that callers write themselves, to be somebody. */
const FORGED = {
  'x-auth-user': 'root',
  'x-auth-session': 'forged',
  'x-auth-acr': 'aal2',
  'x-auth-email': 'root@example.com',
  'x-auth-username': 'root',
  // Applications behind CGI or WSGI read these as the same.
  x_auth_user: 'root',
  'X_Auth-Session': 'forged',
  'X-Auth_Acr': 'aal2',
};

describe.skipIf(isMissing('caddy'))('caddy', () => {
  let server: Server;
  let ada: SignedIn;
  let peer: Peer;
  let echo: Awaited<ReturnType<typeof startEcho>>;
  let port: number;
  beforeAll(async () => {
    const directory = newDirectory();
    chmodSync(directory, 0o755);
    server = await startServer({
      directory,
      env: { POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0,unix:./postern.sock?mode=0666' },
    });
    ada = await server.register('ada');
    echo = await startEcho();
    port = await freePort();
    const socket = join(directory, 'postern.sock');
    const command = caddy(directory, { port, app: echo.port, socket });
    peer = await startPeer(command, directory, port);
  });
  afterAll(async () => {
    await peer.stop();
    await echo.stop();
    await server.stop();
  });

  const call = (method: string, path: string, options?: CallOptions): Promise<Reply> =>
    ask({ host: '127.0.0.1', port }, method, path, options);

  test('a good token goes through with the identity of the token, whatever the caller wrote', async () => {
    const { status, body } = await call('GET', '/orders?x=1', {
      token: ada.access,
      headers: FORGED,
    });
    expect([status, body.path]).toEqual([200, '/orders?x=1']);
    expect(body.headers).toMatchObject({
      'x-auth-user': ada.userId,
      'x-auth-session': ada.sessionId,
      'x-auth-acr': 'aal1',
    });
    // The token names neither: the caller's own must not stand there instead.
    const names = Object.keys(body.headers).filter((name) => /^x[-_]auth[-_]/i.test(name));
    expect(names.sort()).toEqual(['x-auth-acr', 'x-auth-session', 'x-auth-user']);
  });

  test('no token, a bad one, a refresh token: 401, and nothing reaches the application', async () => {
    const before = echo.last();
    for (const headers of [
      FORGED,
      { authorization: 'Bearer x.y.z' },
      { authorization: `Bearer ${ada.refresh}` },
    ]) {
      const { status, headers: answered } = await call('GET', '/orders', { headers });
      expect([status, answered['www-authenticate']]).toEqual([
        401,
        expect.stringMatching(/^Bearer/),
      ]);
    }
    expect(echo.last()).toBe(before);
  });

  test('both forms of the metadata of an issuer with a path are there', async () => {
    for (const path of [
      '/.well-known/oauth-authorization-server/auth',
      '/auth/.well-known/oauth-authorization-server',
      '/auth/.well-known/openid-configuration',
    ]) {
      const { status, body } = await call('GET', path);
      expect([path, status, body.issuer]).toEqual([path, 200, ISSUER]);
    }
  });

  test('POST bodies reach the application', async () => {
    const { status, body } = await call('POST', '/orders', {
      token: ada.access,
      body: { item: 'x'.repeat(5_000) },
    });
    expect([status, body.headers['content-length']]).toEqual([200, '5011']);
  });

  test("/auth/ is postern, with the client's real address; a session that ended is refused at once", async () => {
    const { status, body } = await call('POST', '/auth/login', {
      body: { username: 'ada', password: PASSWORD },
      headers: { 'x-forwarded-for': '203.0.113.7', 'user-agent': 'through caddy' },
    });
    expect(status).toBe(200);
    const token = body.access_token;
    const { body: listed } = await call('GET', '/auth/me/sessions', { token });
    const mine = listed.sessions.find(({ current }: { current: boolean }) => current);
    expect(mine.ip).toBe('127.0.0.1');
    expect((await call('GET', '/orders', { token })).status).toBe(200);
    await call('POST', '/auth/logout', { body: { refresh_token: body.refresh_token } });
    expect((await call('GET', '/orders', { token })).status).toBe(401);
  });
});
