/** Answers that nobody reads are no way to hold connections and memory (T16, H09). */
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import { openSocket, request } from '../support/raw.ts';

const passed = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A socket that asks for much and reads nothing; it is over when a write of its fails. */
async function unreading(url: string): Promise<{ socket: Socket; ended: Promise<void> }> {
  const socket = await openSocket(url);
  socket.pause();
  const ended = new Promise<void>((resolve) => {
    const probe = setInterval(() => socket.write('G'), 100);
    socket.once('error', () => {
      clearInterval(probe);
      resolve();
    });
  });
  socket.write(request('GET /openapi.json').repeat(16));
  return { socket, ended };
}

test('sockets that pipeline and do not read are ended, all of them, and others are served meanwhile', async () => {
  const app = await createTestApp({ config: '[server]\nanswer_timeout = "1s"\n' });
  const sockets = await Promise.all(Array.from({ length: 200 }, () => unreading(app.url)));
  let isOver = false;
  const served = (async () => {
    for (; !isOver; await passed(100)) {
      expect((await app.call('GET', '/healthz')).status).toBe(200);
    }
  })();
  await Promise.all(sockets.map(({ ended }) => ended));
  isOver = true;
  await served;
  await app.stop();
});

test('a client that reads slowly gets its whole answer', async () => {
  const app = await createTestApp({ config: '[server]\nanswer_timeout = "1s"\n' });
  const socket = await openSocket(app.url);
  socket.pause();
  socket.write(request('GET /openapi.json', ['Connection: close']));
  let size = 0;
  const whole = new Promise<void>((resolve) => socket.once('end', resolve));
  socket.on('data', (chunk: Buffer) => {
    size += chunk.length;
    socket.pause();
    setTimeout(() => socket.resume(), 150);
  });
  socket.resume();
  await whole;
  const { body } = await app.call('GET', '/openapi.json');
  expect(size).toBeGreaterThan(JSON.stringify(body).length);
  await app.stop();
});
