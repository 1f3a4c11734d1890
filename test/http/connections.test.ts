/** What one connection and one network may hold (T16, H09). */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { openSocket, request, sendRaw } from '../support/raw.ts';

const login = (name: string): string => {
  const body = JSON.stringify({ username: name, password: 'wrong horse battery staple' });
  const headers = ['Content-Type: application/json', `Content-Length: ${body.length}`];
  return request('POST /login', headers) + body;
};

describe('pipelined requests', () => {
  test('are begun one after the other: none while the answer before it is not out', async () => {
    const app = await createTestApp();
    const { passwordHasher } = app.kernel;
    const { verify } = passwordHasher;
    let running = 0;
    let most = 0;
    Object.assign(passwordHasher, {
      verify: async (...given: Parameters<typeof verify>) => {
        most = Math.max(most, ++running);
        return verify(...given).finally(() => running--);
      },
    });
    const names = Array.from({ length: 12 }, (_, index) => login(`piped-${index}`));
    const { replies } = await sendRaw(app.url, names.join(''), { replies: names.length });
    expect(replies.map(({ status }) => status)).toEqual(names.map(() => 401));
    expect(most).toBe(1);
    await app.stop();
  });

  test('more than sixteen that wait end the connection, whatever was answered before', async () => {
    const app = await createTestApp();
    const socket = await openSocket(app.url);
    socket.resume();
    socket.write(login('first') + request('GET /healthz').repeat(1_500));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(app.log.filter((line) => line['http.route'] === '/healthz')).toEqual([]);
    expect((await app.call('GET', '/healthz')).status).toBe(200);
    await app.stop();
  });
});

describe('server.max_connections_per_network', () => {
  const isServed = async (socket: Socket): Promise<boolean> => {
    const answered = once(socket, 'data').then(() => true);
    const closed = once(socket, 'close').then(() => false);
    socket.resume();
    socket.write(request('GET /healthz'));
    return Promise.race([answered, closed]);
  };
  const openMany = (app: TestApp, count: number) =>
    Promise.all(Array.from({ length: count }, () => openSocket(app.url)));

  test('further connections of the same network are closed, and there is room when one goes', async () => {
    const app = await createTestApp({ config: '[server]\nmax_connections_per_network = 4\n' });
    const held = await openMany(app, 4);
    expect(await Promise.all(held.map(isServed))).toEqual([true, true, true, true]);
    expect(await isServed(await openSocket(app.url))).toBe(false);
    const [first] = held;
    first?.end();
    // The server has noticed when it has ended its side.
    await Promise.all(first === undefined ? [] : [once(first, 'close')]);
    expect(await isServed(await openSocket(app.url))).toBe(true);
    for (const socket of held) socket.destroy();
    await app.stop();
  });

  test('a trusted proxy speaks for many and is not limited', async () => {
    const app = await createTestApp({
      config: '[server]\nmax_connections_per_network = 2\ntrusted_proxies = ["127.0.0.1"]\n',
    });
    const held = await openMany(app, 6);
    expect(new Set(await Promise.all(held.map(isServed)))).toEqual(new Set([true]));
    for (const socket of held) socket.destroy();
    await app.stop();
  });
});
