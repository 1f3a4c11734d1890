/** Sockets that come and don't go (H09): they are shed in their time, and nobody else notices. */
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { openSocket, parseReplies, request } from '../support/raw.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    config: '[server]\nheader_timeout = "1s"\nrequest_timeout = "2s"\nkeep_alive_timeout = "1s"\n',
  });
});
afterAll(() => app.stop());

interface Slow {
  readonly socket: Socket;
  readonly opened: number;
  closedAfter: number | null;
  text: string;
}

async function open(bytes: string): Promise<Slow> {
  const socket = await openSocket(app.url);
  const slow: Slow = { socket, opened: performance.now(), closedAfter: null, text: '' };
  socket.on('data', (chunk) => (slow.text += chunk.toString('latin1')));
  socket.on('close', () => (slow.closedAfter = performance.now() - slow.opened));
  socket.write(bytes);
  return slow;
}

const passed = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('200 slow sockets: legitimate requests are answered within 500 ms, and every slow one is shed', async () => {
  const { access } = await app.register();
  const kinds = [
    'GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: ',
    request('POST /login', ['Content-Type: application/json', 'Content-Length: 100']) +
      '{"username":',
    request('GET /healthz'),
    '',
  ];
  const slow = await Promise.all(Array.from({ length: 200 }, (_, i) => open(kinds[i % 4] ?? '')));
  // Those that send headers and bodies go on a byte at a time: a time-out that every byte renews
  // would never come.
  const drip = setInterval(
    () => slow.forEach(({ socket }, i) => i % 4 < 2 && !socket.destroyed && socket.write('a')),
    200,
  );
  const times: number[] = [];
  const until = performance.now() + 4_500;
  while (performance.now() < until) {
    const started = performance.now();
    const replies = await Promise.all([
      app.call('GET', '/healthz'),
      app.call('GET', '/me', { token: access }),
      app.call('GET', '/verify', { token: access }),
    ]);
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 204]);
    times.push(performance.now() - started);
    await passed(10);
  }
  clearInterval(drip);
  times.sort((a, b) => a - b);
  expect(times[Math.floor(times.length * 0.99)]).toBeLessThan(500);
  for (const [i, { closedAfter, text }] of slow.entries()) {
    expect([i % 4, closedAfter === null ? 'open' : 'closed']).toEqual([i % 4, 'closed']);
    expect(closedAfter).toBeLessThan(4_500);
    // Who was half way through a request is told; who was idle after one had its answer.
    const [reply] = parseReplies(text);
    if (i % 4 < 2)
      expect([reply?.status, JSON.parse(reply?.body ?? '{}').code]).toEqual([
        408,
        'request_timeout',
      ]);
    if (i % 4 === 2) expect(reply?.status).toBe(200);
  }
});

test('connections past server.max_connections are closed at once, and those before them still served', async () => {
  const small = await createTestApp({ config: '[server]\nmax_connections = 16\n' });
  const sockets = await Promise.all(Array.from({ length: 15 }, () => openSocket(small.url)));
  await passed(50);
  const extra = await Promise.all(Array.from({ length: 20 }, () => openSocket(small.url)));
  await passed(200);
  expect(extra.filter(({ destroyed }) => destroyed).length).toBeGreaterThanOrEqual(19);
  const first = sockets[0];
  const text = new Promise<string>((resolve) =>
    first?.once('data', (chunk) => resolve(chunk.toString('latin1'))),
  );
  first?.write(request('GET /healthz'));
  expect(await text).toContain('HTTP/1.1 200');
  for (const socket of [...sockets, ...extra]) socket.destroy();
  await small.stop();
});

test('callers that hang up in the middle leave nothing behind', async () => {
  for (let i = 0; i < 50; i++) {
    const socket = await openSocket(app.url);
    const body = JSON.stringify({ username: 'nobody', password: 'correct horse battery staple' });
    socket.write(
      request('POST /login', ['Content-Type: application/json', `Content-Length: ${body.length}`]) +
        (i % 2 === 0 ? body : body.slice(0, 10)),
    );
    await passed(i % 5);
    if (i % 3 === 0) socket.resetAndDestroy();
    else socket.destroy();
  }
  await passed(200);
  expect((await app.call('GET', '/healthz')).status).toBe(200);
  expect(
    app.log.filter(({ level, event }) => level === 'error' || event === 'request.failed'),
  ).toEqual([]);
  expect(app.kernel.passwordHasher.stats().depth).toBe(0);
});
