/** A proxy that is not in server.trusted_proxies is named in the log, and not believed. */
import { expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';

const forwarded = { headers: { 'x-forwarded-for': '203.0.113.9' } };

test('one line a minute names the peer; the address is not believed', async () => {
  const app = await createTestApp();
  for (let n = 0; n < 3; n++) await app.call('GET', '/keys/none.pem', forwarded);
  const lines = app.log.filter(({ event }) => event === 'proxy.untrusted');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ level: 'warn', 'client.address': '127.0.0.1' });
  const requests = app.log.filter(({ event }) => event === 'http.request');
  expect(requests.map((line) => line['client.address'])).toEqual(Array(3).fill('127.0.0.1'));
  await app.stop();
});

test('of one that is trusted, and of requests without the header, nothing is said', async () => {
  const trusting = await createTestApp({ config: '[server]\ntrusted_proxies = ["127.0.0.1"]\n' });
  await trusting.call('GET', '/keys/none.pem', forwarded);
  await trusting.call('GET', '/keys/none.pem');
  expect(trusting.log.some(({ event }) => event === 'proxy.untrusted')).toBe(false);
  await trusting.stop();
});
