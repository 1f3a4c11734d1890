/** What refusals and faults leave in the log: one stack for each fault, none for a refusal. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { request, sendRaw } from '../support/raw.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

const stacks = (): number =>
  app.log.filter((line) => line['exception.stacktrace'] !== undefined).length;

test('a planned refusal writes no stack, however many there are', async () => {
  const before = stacks();
  await app.whileHashQueueIsFull(() =>
    Promise.all(Array.from({ length: 50 }, (_, n) => app.login(`flood-${n}`))),
  );
  expect(stacks()).toBe(before);
});

test('a fault that many requests meet writes one stack, and a line for each request', async () => {
  const own = await createTestApp();
  const { access: token } = await own.register();
  await own.db.close();
  for (let n = 0; n < 20; n++) {
    expect((await own.call('GET', '/me', { token })).status).toBe(500);
  }
  const failed = own.log.filter(({ event }) => event === 'request.failed');
  const withStack = failed.filter((line) => line['exception.stacktrace'] !== undefined);
  expect([failed.length, withStack.length]).toEqual([20, 1]);
  await own.stop().catch(() => undefined);
});

test('what never became a request is logged with the address of its peer', async () => {
  await sendRaw(app.url, 'NONSENSE\r\n\r\n');
  expect(app.log.at(-1)).toMatchObject({
    event: 'http.unparsed',
    'client.address': '127.0.0.1',
  });
});

describe('headers of refusals', () => {
  test('a wrong password is no bad token: the challenge names no error where none came', async () => {
    const reply = await app.login('nobody');
    expect([reply.status, reply.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    const bad = await app.call('GET', '/me', { token: 'x.y.z' });
    expect(bad.headers.get('www-authenticate')).toContain('error="invalid_token"');
  });

  test('after an offer of another protocol the connection ends', async () => {
    const upgrade = request('GET /healthz', ['Upgrade: websocket', 'Connection: Upgrade']);
    const { replies, closed } = await sendRaw(app.url, upgrade + request('GET /nope'));
    expect([replies.length, replies[0]?.headers['connection'], closed]).toEqual([1, 'close', true]);
  });

  test('request ids are random: none reveals the number of earlier requests', async () => {
    const ids = await Promise.all(
      Array.from(
        { length: 50 },
        async () => (await app.call('GET', '/healthz')).headers.get('x-request-id') ?? '',
      ),
    );
    expect(new Set(ids).size).toBe(50);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{16}$/);
    expect(new Set(ids.map((id) => id.slice(0, 6))).size).toBe(50);
  });
});
