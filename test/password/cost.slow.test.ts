/** What passwords cost: long ones, and two hundred at once. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { SignedIn, TestApp } from '../support/app.ts';
import { expectWithin } from '../support/best.ts';
import { LONG_PASSWORDS } from './long-passwords.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({ config: '[throttle]\nattempts = 100\n' });
});
afterAll(() => app.stop());

test('P01, ASVS 1.3.12: 60 kB are judged within 50 ms', async () => {
  for (const password of LONG_PASSWORDS)
    await expectWithin(50, () => app.call('POST', '/password/check', { body: { password } }));
});

test('P01: what is too long is refused at sign-in within 50 ms', async () => {
  const { username } = await app.register();
  await expectWithin(50, () => app.login(username, 'x'.repeat(50_000)));
});

test('P07, ASVS 15.4.4: 200 sign-ins at once are answered, queued or refused; meanwhile a refresh stays quick and memory bounded', async () => {
  const own = await createTestApp({
    config:
      '[password]\nmemory = "32MiB"\npasses = 2\nthreads = 1\nqueue_length = 16\ndeadline = "10s"\n[throttle]\nattempts = 100\n[sessions]\nrefresh_grace = "0s"\n',
  });
  const users: SignedIn[] = [];
  for (let i = 0; i < 8; i++) users.push(await own.register());
  let token = users[0]?.refresh ?? '';
  const refresh = async () => {
    const started = performance.now();
    const { status, body } = await own.call('POST', '/refresh', { body: { refresh_token: token } });
    expect(status).toBe(200);
    token = body.refresh_token;
    return performance.now() - started;
  };
  const before = process.memoryUsage().rss;
  const logins: number[] = [];
  let done = false;
  const flood = Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const started = performance.now();
      const { status, body } = await own.login(users[i % 8]?.username ?? '');
      if (status === 200) logins.push(performance.now() - started);
      return { status, code: body.code };
    }),
  ).finally(() => (done = true));
  const during: number[] = [];
  while (!done) during.push(await refresh());
  const replies = await flood;
  const median = (list: number[]) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
  for (const { status, code } of replies)
    if (status !== 200)
      expect([
        [503, 'overloaded'],
        [429, 'too_many_attempts'],
      ]).toContainEqual([status, code]);
  expect(replies.filter(({ status }) => status === 503).length).toBeGreaterThan(50);
  expect(logins.length).toBeGreaterThan(8);
  expect(during.length).toBeGreaterThan(5);
  expect(median(during)).toBeLessThan(median(logins) / 2);
  // One lane of 32 MiB, and what 200 requests need.
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  await own.stop();
});
