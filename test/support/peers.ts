/**
 * Programs of other people that tokens and sockets are tried with: the distribution's own, so that
 * nobody picks a kind one.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import { connect } from 'node:net';
import { afterAll } from 'vitest';

export const PEERS = {
  nginx: { path: '/usr/sbin/nginx', debian: 'nginx' },
  haproxy: { path: '/usr/sbin/haproxy', debian: 'haproxy' },
  caddy: { path: '/usr/bin/caddy', debian: 'caddy' },
  chromium: { path: '/usr/bin/chromium', debian: 'chromium' },
  curl: { path: '/usr/bin/curl', debian: 'curl' },
  pyjwt: { path: '/usr/bin/python3', debian: 'python3-jwt python3-cryptography' },
} as const;

/**
 * Whether a peer is missing, so that what needs it is left out with a word. Where CI is true it
 * must be there.
 *
 * @throws under CI
 */
export function isMissing(name: keyof typeof PEERS): boolean {
  const { path, debian } = PEERS[name];
  const isThere =
    existsSync(path) &&
    (name !== 'pyjwt' || spawnSync(path, ['-c', 'import jwt, cryptography']).status === 0);
  if (isThere) return false;
  const remedy = `${name} is missing: apt-get install ${debian}`;
  if (process.env['CI'] === 'true') throw new Error(remedy);
  console.warn(`${remedy}; its tests are left out`);
  return true;
}

/** Peers that a test which failed has left running; they end with the test file. */
const running = new Set<ChildProcess>();
afterAll(() => running.forEach((child) => child.kill('SIGKILL')));

export interface Peer {
  stop(): Promise<void>;
  stderr(): string;
}

/**
 * Starts a proxy in the foreground and waits until something listens on the port. @throws with what
 * it said
 */
export async function startPeer(
  command: readonly string[],
  directory: string,
  port: number,
): Promise<Peer> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (chunk) => (said += String(chunk)));
  child.stderr.on('data', (chunk) => (said += String(chunk)));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const until = performance.now() + 10_000;
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() > until) {
      child.kill('SIGKILL');
      throw new Error(`${file} does not listen on ${port}: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  running.add(child);
  child.once('close', () => running.delete(child));
  return {
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
    stderr: () => said,
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** An application behind a proxy: it answers with the headers that reached it. */
export async function startEcho(): Promise<{
  port: number;
  last: () => IncomingHttpHeaders | undefined;
  stop: () => Promise<void>;
}> {
  let last: IncomingHttpHeaders | undefined;
  const server = createServer((request, response) => {
    last = request.headers;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ path: request.url, headers: request.headers }));
  });
  const port = await freePort(server);
  return {
    port,
    last: () => last,
    stop: () => new Promise((resolve) => void server.close(() => resolve()).closeAllConnections()),
  };
}

/** Ports below those that systems give to outgoing connections. */
const FIRST_PORT = 20_000;
const PORTS = 12_000;

/**
 * A port that is free now; of a server, the one that it has taken. A free one is not of those that
 * outgoing connections get: one of them would take it before its program does.
 */
export async function freePort(server?: Server): Promise<number> {
  if (server !== undefined) return listening(server, 0);
  for (;;) {
    const probe = createServer();
    const port = await listening(probe, FIRST_PORT + randomInt(PORTS)).catch(() => null);
    await new Promise<void>((resolve) => void probe.close(() => resolve()));
    if (port !== null) return port;
  }
}

function listening(server: Server, wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(wanted, '127.0.0.1', () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

/**
 * A file's text with other addresses in it; each has to stand there, so that the file which is
 * tried is the one that is published.
 */
export function relocated(text: string, places: Readonly<Record<string, string>>): string {
  return Object.entries(places).reduce((changed, [from, to]) => {
    if (!changed.includes(from)) throw new Error(`${from} does not stand there`);
    return changed.replaceAll(from, to);
  }, text);
}
