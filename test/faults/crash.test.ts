import { existsSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PASSWORD, newDirectory, startServer, whereIs } from '../support/process.ts';
import type { Server, Where } from '../support/process.ts';
import { crashRounds } from './crash.mjs';

const ROUNDS = 20;

const BOTH = { POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0,unix:./postern.sock' };

describe('kill -9 under load (D01)', () => {
  test(`${ROUNDS} times on one directory: what was acknowledged is there, nothing is half done, spent tokens stay spent`, {
    timeout: 180_000,
  }, async () => {
    const seed = Number(process.env['POSTERN_TEST_SEED'] ?? Date.now() % 1_000_000);
    const report = await crashRounds({ rounds: ROUNDS, seed });
    console.log(`crash: ${JSON.stringify(report)}`);
    expect(report.rounds).toBe(ROUNDS);
    // A run that did nothing, or that was never in the middle of anything, proves nothing.
    expect(report.acknowledged).toBeGreaterThan(ROUNDS * 20);
    expect(report.unanswered).toBeGreaterThan(ROUNDS);
  });
});

describe('SIGTERM', () => {
  test('under load: what is in flight is answered, exit 0 within 10 s, the socket is gone, and every answer holds after the next start', async () => {
    const directory = newDirectory();
    const server = await startServer({ directory, env: BOTH });
    const socket = join(directory, 'postern.sock');
    expect(statSync(socket).isSocket()).toBe(true);
    const names = Array.from({ length: 24 }, (_, index) => `inflight${index}`);
    const asked = await Promise.all(
      names.map((username, index) =>
        begun(index % 2 === 0 ? whereIs(server.url) : { socketPath: socket }, username),
      ),
    );
    // Of half of them the body is under way, of the others it comes when the server has been told
    // to stop.
    asked.slice(0, 12).forEach(({ finish }) => finish());
    const told = performance.now();
    server.signal('SIGTERM');
    await server.logged('server.stopping');
    asked.slice(12).forEach(({ finish }) => finish());
    expect(
      (await Promise.all(asked.map(({ status }) => status))).filter((status) => status !== 201),
    ).toEqual([]);
    const end = await server.ended;
    expect(end).toEqual({ code: 0, signal: null });
    expect(performance.now() - told).toBeLessThan(10_000);
    expect(existsSync(socket)).toBe(false);
    expect(server.log().map(({ event }) => event)).toEqual(
      expect.arrayContaining(['server.stopping', 'server.stopped']),
    );
    await expect(server.call('GET', '/healthz')).rejects.toThrow('ECONNREFUSED');

    const next = await startServer({ directory });
    for (const username of names) expect((await next.login(username)).status).toBe(200);
    await next.stop();
  });

  test('does not wait for connections on which nobody has said anything', async () => {
    const server = await startServer();
    const silent = await opened(server);
    const told = performance.now();
    expect((await server.stop()).code).toBe(0);
    expect(performance.now() - told).toBeLessThan(3_000);
    silent.destroy();
  });

  test('a request that never ends is cut at server.shutdown_timeout, and the exit code is still 0', async () => {
    const server = await startServer({ env: { POSTERN_SERVER_SHUTDOWN_TIMEOUT: '1s' } });
    const slow = await unfinished(server);
    const told = performance.now();
    expect((await server.stop()).code).toBe(0);
    expect(performance.now() - told).toBeLessThan(3_000);
    slow.destroy();
  });

  test('a second SIGINT ends it at once with 130', async () => {
    const server = await startServer();
    const slow = await unfinished(server);
    server.signal('SIGINT');
    await server.logged('server.stopping').catch(() => undefined);
    server.signal('SIGINT');
    expect(await server.ended).toEqual({ code: 130, signal: null });
    slow.destroy();
  });
});

/** A registration that the server has begun to read, and that waits for its body. */
function begun(
  where: Where,
  username: string,
): Promise<{ finish: () => void; status: Promise<number> }> {
  const body = JSON.stringify({ username, password: PASSWORD });
  return new Promise((resolve, reject) => {
    const asked = request({
      ...where,
      method: 'POST',
      path: '/register',
      agent: false,
      headers: {
        host: 'localhost',
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        expect: '100-continue',
      },
    });
    const status = new Promise<number>((answered, failed) => {
      asked.once('response', (response) =>
        response.resume().once('end', () => answered(response.statusCode ?? 0)),
      );
      asked.once('error', failed);
    });
    asked.once('error', reject);
    asked.once('continue', () => resolve({ finish: () => asked.end(body), status }));
    asked.flushHeaders();
  });
}

function opened(server: Server): Promise<ReturnType<typeof connect>> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => resolve(socket));
    socket.once('error', reject);
    socket.on('error', () => undefined);
  });
}

/** A request whose body is promised and does not come. */
async function unfinished(server: Server): Promise<ReturnType<typeof connect>> {
  const socket = await opened(server);
  socket.write(
    'POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n',
  );
  // "100 Continue": the request is in.
  await new Promise((resolve) => socket.once('data', resolve));
  return socket;
}
