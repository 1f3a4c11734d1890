/**
 * Sockets that Node hands over bare, and peers that reset them: nothing from outside may end the
 * process (T15).
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSocket, request, sendRaw } from '../support/raw.ts';
import { startServer } from '../support/process.ts';
import type { Server } from '../support/process.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

/** What makes Node hand a socket over, or leave it without a request. */
const BARE: Readonly<Record<string, string>> = {
  connect: request('CONNECT example.com:443'),
  'connect with bytes after it': request('CONNECT example.com:443') + 'GET / HTTP/1.1\r\n',
  upgrade: request('GET /healthz', ['Connection: Upgrade', 'Upgrade: websocket']),
  'expect anything': request('GET /healthz', ['Expect: something']),
  'no HTTP at all': '\x16\x03\x01\x02\x00\x01',
  'two lengths': request('POST /login', ['Content-Length: 1', 'Content-Length: 2']) + 'ab',
  'a header too large': `GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`,
  'half a request': 'POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{',
};

const AT_ONCE = 50;
/** POSTERN_RESETS=6000 makes 48,000 of it. */
const EACH = Number(process.env['POSTERN_RESETS'] ?? 1_000);

test.each(Object.entries(BARE))(
  `${EACH} of %s, reset at any moment: the process lives`,
  async (_name, bytes) => {
    let sent = 0;
    const one = async (): Promise<void> => {
      while (sent < EACH) {
        const round = sent++;
        const socket = await openSocket(server.url);
        socket.write(Buffer.from(bytes, 'latin1'));
        // Before the bytes are read, while they are answered, after the answer, and a reset by the
        // answer itself coming to a closed socket.
        if (round % 4 > 0)
          await new Promise((resolve) =>
            round % 4 === 1
              ? setImmediate(resolve)
              : socket
                  .once(round % 4 === 2 ? 'data' : 'close', resolve)
                  .once('close', resolve)
                  .setTimeout(50, () => resolve(undefined)),
          );
        if (round % 8 < 4) socket.resetAndDestroy();
        else socket.destroy();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    expect((await server.call('GET', '/healthz')).status).toBe(200);
    expect(
      server
        .log()
        .filter(({ event }) => event === 'process.uncaught' || event === 'process.unhandled'),
    ).toEqual([]);
  },
);

test('a CONNECT is answered and its connection closed, also when its peer neither reads nor closes', async () => {
  const { replies, closed } = await sendRaw(server.url, request('CONNECT example.com:443'));
  expect([replies[0]?.status, closed]).toEqual([405, true]);
  const silent = await openSocket(server.url);
  silent.pause();
  silent.write(request('CONNECT example.com:443'));
  await new Promise((resolve) => silent.once('close', resolve).once('end', resolve).resume());
});
