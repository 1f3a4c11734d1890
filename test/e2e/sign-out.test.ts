/**
 * All at once, at an issuer with a path: the built server behind nginx (over TCP), Caddy and HAProxy
 * (over its Unix socket) as their examples have them, and the verifier of examples/verify-node in a
 * process of its own.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, ask, eventually, newDirectory, startServer } from '../support/process.ts';
import type { CallOptions, Reply, Server } from '../support/process.ts';
import { freePort, isMissing, startEcho, startPeer } from '../support/peers.ts';
import type { Peer } from '../support/peers.ts';
import { caddy, haproxy, nginx } from '../support/proxies.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TTL_MS = 2_000;
const NAMES = ['nginx', 'haproxy', 'caddy'] as const;
type Name = (typeof NAMES)[number];

/** examples/verify-node: a token a line, a verdict a line. */
function startVerifier(issuer: string): { judge(token: string): Promise<string>; stop(): void } {
  const child: ChildProcess = spawn('node', ['verify.mjs'], {
    cwd: join(ROOT, 'examples/verify-node'),
    env: { ...process.env, ISSUER: issuer, AUDIENCE: 'postern' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const waiting: ((line: string) => void)[] = [];
  if (child.stdout === null) throw new Error('no output');
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(line));
  return {
    judge: (token) =>
      new Promise((resolve) => {
        waiting.push(resolve);
        child.stdin?.write(`${token}\n`);
      }),
    stop: () => void child.kill(),
  };
}

describe.skipIf(NAMES.map(isMissing).some(Boolean))('an issuer with a path', () => {
  let server: Server;
  let issuer: string;
  let echo: Awaited<ReturnType<typeof startEcho>>;
  let ports: Record<Name, number>;
  const peers: Peer[] = [];
  let verifier: ReturnType<typeof startVerifier>;

  beforeAll(async () => {
    execFileSync('npm', ['run', '--silent', 'build', '-w', '@postern/verifier'], { cwd: ROOT });
    ports = { nginx: await freePort(), haproxy: await freePort(), caddy: await freePort() };
    issuer = `http://127.0.0.1:${ports.nginx}/auth`;
    const directory = newDirectory();
    // The proxies' workers may be another user.
    chmodSync(directory, 0o755);
    server = await startServer({
      directory,
      config: `[revocation]\nttl = "${TTL_MS / 1_000}s"\n`,
      env: {
        POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0,unix:./postern.sock?mode=0666',
        POSTERN_SERVER_PUBLIC_URL: issuer,
        POSTERN_SERVER_TRUSTED_PROXIES: '127.0.0.1',
      },
    });
    echo = await startEcho();
    const pem = (await server.cli(['keys', 'export', '--pem'])).stdout;
    const places = (name: Name) => ({
      port: ports[name],
      app: echo.port,
      socket: join(directory, 'postern.sock'),
    });
    const folders = { nginx: newDirectory(), haproxy: newDirectory(), caddy: newDirectory() };
    const commands: Record<Name, readonly string[]> = {
      nginx: nginx(folders.nginx, { ...places('nginx'), upstream: new URL(server.url).host }),
      haproxy: haproxy(folders.haproxy, { ...places('haproxy'), pem, issuer }),
      caddy: caddy(folders.caddy, places('caddy')),
    };
    for (const name of NAMES)
      peers.push(await startPeer(commands[name], folders[name], ports[name]));
    verifier = startVerifier(issuer);
  });
  afterAll(async () => {
    verifier.stop();
    for (const peer of peers) await peer.stop();
    await echo.stop();
    await server.stop();
  });

  const call = (name: Name, path: string, options: CallOptions = {}): Promise<Reply> =>
    ask(
      { host: '127.0.0.1', port: ports[name] },
      options.body === undefined ? 'GET' : 'POST',
      path,
      options,
    );

  test.each(NAMES)(
    '%s has both forms of the metadata, and what they name is there',
    async (name) => {
      for (const path of [
        '/.well-known/oauth-authorization-server/auth',
        '/auth/.well-known/oauth-authorization-server',
        '/auth/.well-known/openid-configuration',
      ]) {
        const { status, body } = await call(name, path);
        expect([path, status, body.issuer]).toEqual([path, 200, issuer]);
        expect(body.jwks_uri).toBe(`${issuer}/.well-known/jwks.json`);
        const jwks = await call(name, new URL(body.jwks_uri).pathname);
        expect([jwks.status, jwks.body.keys.length]).toEqual([200, 1]);
      }
    },
  );

  test.each(['oauth2', 'oidc'] as const)('oauth4webapi discovers it: %s', async (algorithm) => {
    const url = new URL(issuer);
    const options = { algorithm, [oauth.allowInsecureRequests]: true };
    const found = await oauth.discoveryRequest(url, options);
    const as = await oauth.processDiscoveryResponse(url, found);
    expect(as).toMatchObject({ issuer, token_endpoint: `${issuer}/token` });
  });

  test('each of them is believed about the address of the client, and no client is', async () => {
    await server.register('linus');
    for (const name of NAMES) {
      const { body } = await call(name, '/auth/login', {
        body: { username: 'linus', password: PASSWORD },
        headers: { 'x-forwarded-for': '203.0.113.7' },
      });
      const { body: listed } = await call(name, '/auth/me/sessions', { token: body.access_token });
      const mine = listed.sessions.find(({ current }: { current: boolean }) => current);
      expect([name, mine.ip]).toEqual([name, '127.0.0.1']);
    }
  });

  /** Signs in and out again, and looks everywhere. @returns ms until the verifier refused */
  async function signOut(username: string): Promise<number> {
    const { body } = await call('nginx', '/auth/login', {
      body: { username, password: PASSWORD },
    });
    const token = body.access_token;
    const statuses = async (): Promise<readonly number[]> =>
      Promise.all(NAMES.map(async (name) => (await call(name, '/orders', { token })).status));
    expect(await statuses()).toEqual([200, 200, 200]);
    expect(await verifier.judge(token)).toBe('accept');
    const out = await call('haproxy', '/auth/logout', {
      body: { refresh_token: body.refresh_token },
    });
    const left = performance.now();
    expect(out.status).toBe(204);
    expect((await server.call('GET', '/verify', { token })).status).toBe(401);
    // HAProxy asks nobody: its example says that it learns of it when the token expires.
    expect(await statuses()).toEqual([401, 200, 401]);
    expect((await call('haproxy', '/auth/verify', { token })).status).toBe(401);
    for (;;) {
      const asked = performance.now();
      if ((await verifier.judge(token)) === 'refuse') return asked - left;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  test('a sign-out: nginx, Caddy and /verify refuse at once, the verifier within ttl and a second', async () => {
    await server.register('ada');
    // The best of three, for a busy machine delays a poll.
    const delays: number[] = [];
    while (delays.length < 3 && delays.every((delay) => delay > TTL_MS + 1_000))
      delays.push(await signOut('ada'));
    expect(Math.min(...delays)).toBeLessThanOrEqual(TTL_MS + 1_000);
  });

  /** Fetches of a document that the server has logged, once it has written all lines so far. */
  const fetches = async (route: string): Promise<number> => {
    const id = `mark-${performance.now()}`;
    await server.call('GET', '/verify', { headers: { 'x-request-id': id } });
    const lines = () => server.log().filter(({ event }) => event === 'http.request');
    await eventually(() => lines().some((line) => line['request_id'] === id), 10_000);
    return lines().filter((line) => line['http.route'] === route).length;
  };

  test('1,000 made-up key ids in a cool-down: one fetch of the keys', async () => {
    const { access } = await server.register('grace');
    expect(await verifier.judge(access)).toBe('accept');
    const [head = '', payload, signature] = access.split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString());
    const before = await fetches('/.well-known/jwks.json');
    const verdicts = new Set<string>();
    for (let n = 0; n < 1_000; n++) {
      const made = Buffer.from(JSON.stringify({ ...header, kid: `made-up-${n}` }));
      verdicts.add(await verifier.judge(`${made.toString('base64url')}.${payload}.${signature}`));
    }
    expect([...verdicts]).toEqual(['refuse']);
    expect(await verifier.judge(access)).toBe('accept');
    expect((await fetches('/.well-known/jwks.json')) - before).toBe(1);
  });

  test('a key rotation under load: the verifier refuses no good token', async () => {
    // One of its own: what strangers made up has spent the cool-down of the other.
    const own = startVerifier(issuer);
    const user = await server.register('rotated');
    expect(await own.judge(user.access)).toBe('accept');
    const kidOf = (token: string): string =>
      JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
    const verdicts = new Set<string>();
    const rotation = server.cli(['keys', 'rotate', '--now', '--yes']);
    let { refresh } = user;
    for (let after = 0; after < 20; ) {
      const { body } = await server.call('POST', '/refresh', { body: { refresh_token: refresh } });
      refresh = body.refresh_token;
      verdicts.add(await own.judge(body.access_token));
      if (kidOf(body.access_token) !== kidOf(user.access)) after++;
    }
    expect((await rotation).code).toBe(0);
    verdicts.add(await own.judge(user.access));
    expect([...verdicts]).toEqual(['accept']);
    own.stop();
  });
});
