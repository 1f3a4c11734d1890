/**
 * A flood of sign-ins from one place, each at another name: it fills the hash queue, and nobody
 * else waits behind it (ASVS 15.2.2, 15.4.4, P07).
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { networkOf } from '../../src/core/requester.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    config:
      '[server]\ntrusted_proxies = ["127.0.0.1"]\n[password]\nmemory = "32MiB"\npasses = 2\nthreads = 1\nqueue_length = 16\ndeadline = "10s"\n',
  });
});
afterAll(() => app.stop());

const login = (from: string, username: string, password: string) =>
  app.call('POST', '/login', {
    body: { username, password },
    headers: { 'x-forwarded-for': from },
  });

/**
 * Sign-ins from elsewhere while forty-eight connections send what `request` sends, as fast as they
 * are answered.
 */
async function underFlood(
  request: (connection: number, n: number) => Promise<{ status: number }>,
): Promise<number[]> {
  const user = await app.register();
  let isOver = false;
  let refused = 0;
  const flood = Array.from({ length: 48 }, async (_, i) => {
    for (let n = 0; !isOver; n++) {
      const { status } = await request(i, n);
      if (status === 503) {
        refused += 1;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }
  });
  while (refused < 50) await new Promise((resolve) => setTimeout(resolve, 5));
  const statuses: number[] = [];
  for (let i = 0; i < 10; i++)
    statuses.push((await login(`192.0.2.${i}`, user.username, PASSWORD)).status);
  isOver = true;
  await Promise.all(flood);
  return statuses;
}

const ALL_IN = Array.from({ length: 10 }, () => 200);
const MALLORY = { 'x-forwarded-for': '203.0.113.5' };

test('sign-ins from elsewhere get through while one network floods with names that nobody has', async () => {
  expect(
    await underFlood((i, n) =>
      login(`2001:db8::${i + 1}`, `nobody-${i}-${n}`, 'wrong horse battery'),
    ),
  ).toEqual(ALL_IN);
});

test('… or with registrations that nobody began', async () => {
  expect(
    await underFlood((i, n) =>
      app.call('POST', '/register/verify', {
        body: { registration_id: `nobody-${i}-${n}`, code: '12345678' },
        headers: MALLORY,
      }),
    ),
  ).toEqual(ALL_IN);
}, 60_000);

test('… or within accounts of its own', async () => {
  const tokens: string[] = [];
  for (let i = 0; i < 48; i++)
    tokens.push(
      (
        await app.call('POST', '/register', {
          body: { username: `mallory${i}`, password: PASSWORD },
          headers: MALLORY,
        })
      ).body.access_token,
    );
  expect(
    await underFlood((i) =>
      app.call('POST', '/reauthenticate', {
        token: tokens[i] ?? '',
        body: { password: PASSWORD },
        headers: MALLORY,
      }),
    ),
  ).toEqual(ALL_IN);
}, 60_000);

test.each([
  ['192.0.2.7', 'network:192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', 'network:2001:db8:1:2'],
  ['2001:db8:1:2::9', 'network:2001:db8:1:2'],
  ['2001:db8::1', 'network:2001:db8:0:0'],
  ['::1', 'network:0:0:0:0'],
  ['fe80::', 'network:fe80:0:0:0'],
  [null, 'network:unknown'],
])('the network of %s is %s', (ip, network) => expect(networkOf({ ip })).toBe(network));
