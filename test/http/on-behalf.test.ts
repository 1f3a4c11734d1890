/** A server-rendered front-end that proves itself: `Forwarded: for=` of a caller (L01, L11). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { makeKey } from '../support/api-key.ts';

let app: TestApp;
let caller: string;
let other: string;
beforeAll(async () => {
  app = await createTestApp({ config: '[limits]\nlogin = "3/1h"\n' });
  caller = (await makeKey(app, 'front-end', { scopes: ['caller'] })).text;
  other = (await makeKey(app, 'billing', { scopes: ['introspect'] })).text;
});
afterAll(() => app.stop());

const login = (username: string, headers: Record<string, string>) =>
  app.call('POST', '/login', { headers, body: { username, password: PASSWORD } });
const lastAddress = () =>
  app.log.findLast(({ event }) => event === 'http.request')?.['client.address'];

test('each of its users has a share of their own, and their address in the log and in the session', async () => {
  const { username } = await app.register();
  for (let n = 0; n < 8; n++) {
    const forwarded = `for=203.0.113.${n}`;
    const { status } = await login(username, { 'postern-key': caller, forwarded });
    expect([status, lastAddress()]).toEqual([200, `203.0.113.${n}`]);
  }
  const forwarded = 'proto=https;for="[2001:DB8:0::1]:4711";by=unknown';
  const { body } = await login(username, { 'postern-key': caller, forwarded });
  const sessions = await app.call('GET', '/me/sessions', {
    token: body.access_token,
    headers: { 'postern-key': caller, forwarded },
  });
  expect(sessions.body.sessions.map(({ ip }: { ip: string }) => ip)).toContain('2001:db8::1');
  expect(lastAddress()).toBe('2001:db8::1');
});

test('a user’s guesses count only against their own limit', async () => {
  const headers = (address: string) => ({ 'postern-key': caller, forwarded: `for=${address}` });
  for (let n = 0; n < 3; n++) await login(`nobody-${n}`, headers('198.51.100.7'));
  expect((await login('nobody', headers('198.51.100.7'))).body.code).toBe('rate_limited');
  expect((await login('nobody', headers('198.51.100.8'))).body.code).toBe('invalid_credentials');
});

test('without the key, or with a key of another scope, Forwarded is not trusted', async () => {
  const forwarded = 'for=203.0.113.99';
  await login('nobody', { forwarded });
  expect(lastAddress()).not.toBe('203.0.113.99');
  const replies = [
    await login('nobody', { forwarded, 'postern-key': other }),
    await login('nobody', { forwarded, 'postern-key': `${caller}x` }),
    await login('nobody', { forwarded, 'postern-key': 'nonsense' }),
  ];
  expect(replies.map(({ status, body }) => [status, body.code])).toEqual([
    [403, 'insufficient_scope'],
    [401, 'invalid_api_key'],
    [401, 'invalid_api_key'],
  ]);
  expect(lastAddress()).not.toBe('203.0.113.99');
});

test.each(['for=unknown', 'for=_hidden', 'for=203.0.113.1, for=203.0.113.2', 'by=203.0.113.1', ''])(
  'Forwarded: %s names no single user, and is refused instead of guessed',
  async (forwarded) => {
    const { status, body } = await login('nobody', { 'postern-key': caller, forwarded });
    expect([status, body.code]).toEqual([400, 'malformed_request']);
  },
);
