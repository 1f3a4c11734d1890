/** Requests to providers: where they go, and how much and how long is waited for. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTurns, fetchJson, fetchWhole } from '../../src/features/external/outbound.ts';

let server: Server;
let url: string;
let last = '';
beforeAll(async () => {
  server = createServer((request, response) => {
    last = request.url ?? '';
    if (last === '/never') return;
    if (last === '/elsewhere') response.writeHead(302, { location: '/ok' });
    if (last === '/halting') return void response.writeHead(200).write('{"a":');
    if (last === '/endless') {
      const more = (): void => void response.write(Buffer.alloc(65_536), more);
      return more();
    }
    response.end(JSON.stringify({ agent: request.headers['user-agent'] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe('I07', () => {
  test.each(['http://192.0.2.1/', 'http://example.com/', 'ftp://127.0.0.1/', 'file:///etc/passwd'])(
    '%s is not asked',
    async (address) => {
      await expect(fetchWhole(address, {})).rejects.toThrow('neither https nor loopback');
    },
  );

  test('a redirect is not followed, a time is kept, an endless answer is cut off', async () => {
    await expect(fetchWhole(`${url}/elsewhere`, {})).rejects.toThrow();
    expect(last).toBe('/elsewhere');
    for (const path of ['/never', '/halting']) {
      const signal = AbortSignal.timeout(30);
      await expect(fetchWhole(url + path, { signal })).rejects.toThrow(/timeout|abort/i);
    }
    await expect(fetchWhole(`${url}/endless`, {})).rejects.toThrow('answered too much');
    const signal = AbortSignal.timeout(60_000);
    expect(await fetchJson(`${url}/ok`, signal)).toEqual({ agent: 'postern' });
  });

  test('so many at once, and the next when one has ended, well or not', async () => {
    const inTurn = createTurns(2);
    let end = (): void => undefined;
    const first = inTurn(() => new Promise<void>((resolve) => (end = resolve)));
    const second = inTurn(() => Promise.reject(new Error('broken')));
    await expect(inTurn(() => Promise.resolve())).rejects.toMatchObject({
      code: 'provider_unavailable',
    });
    await expect(second).rejects.toThrow('broken');
    expect(await inTurn(() => Promise.resolve('third'))).toBe('third');
    end();
    await first;
  });
});
