/** Two apps in one process, with two databases and two issuers: they share nothing. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { SignedIn, TestApp } from '../support/app.ts';
import { claimsOf } from '../support/mfa.ts';

const WRONG = 'wrong horse battery staple';

let one: TestApp;
let other: TestApp;
let ada: SignedIn;
let namesake: SignedIn;
beforeAll(async () => {
  const urls = ['https://one.example.com', 'https://other.example.com'];
  [one, other] = (await Promise.all(
    urls.map((url) => createTestApp({ env: { POSTERN_SERVER_PUBLIC_URL: url } })),
  )) as [TestApp, TestApp];
  [ada, namesake] = await Promise.all([one.register('ada'), other.register('ada')]);
});
afterAll(() => Promise.all([one.stop(), other.stop()]));

test('each has its own accounts, issuer and keys', async () => {
  expect(ada.userId).not.toBe(namesake.userId);
  expect([claimsOf(ada.access)['iss'], claimsOf(namesake.access)['iss']]).toEqual([
    'https://one.example.com',
    'https://other.example.com',
  ]);
  const kids = await Promise.all(
    [one, other].map(async (app) => {
      const { body } = await app.call('GET', '/.well-known/jwks.json');
      return (body.keys as { kid: string }[]).map(({ kid }) => kid);
    }),
  );
  expect(new Set(kids.flat()).size).toBe(kids.flat().length);
});

test('a token of one is nothing at the other, before and after it was seen', async () => {
  for (let seen = 0; seen < 2; seen++) {
    const [mine, foreign] = await Promise.all([
      one.call('GET', '/verify', { token: ada.access }),
      other.call('GET', '/verify', { token: ada.access }),
    ]);
    expect([mine.status, foreign.status]).toEqual([204, 401]);
  }
  const refresh_token = ada.refresh;
  expect((await other.call('POST', '/refresh', { body: { refresh_token } })).status).toBe(401);
  expect((await other.login('ada', undefined, { device_token: ada.deviceToken })).status).toBe(200);
});

test('guesses at one app lock no account of the other, and a sign-out ends no session there', async () => {
  const replies = [];
  for (let tries = 0; tries < 12; tries++) replies.push(await one.login('ada', WRONG));
  expect(replies.at(-1)?.status).toBe(429);
  expect((await other.login('ada')).status).toBe(200);
  await one.call('POST', '/logout/all', { token: ada.access });
  expect((await one.call('GET', '/verify', { token: ada.access })).status).toBe(401);
  expect((await other.call('GET', '/verify', { token: namesake.access })).status).toBe(204);
});
