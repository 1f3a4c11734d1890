/** What one account may take of the hash queue, whichever route its passwords come by. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { enrol } from '../support/mfa.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

test('sign-in, step-up and password change of one account use one share of the hash queue', async () => {
  const { username, access: token } = await app.register();
  const verify = vi.spyOn(app.kernel.passwordHasher, 'verify');
  await app.login(username);
  await app.call('POST', '/reauthenticate', { token, body: { password: PASSWORD } });
  const body = { current_password: PASSWORD, new_password: 'another horse battery staple' };
  expect((await app.call('POST', '/me/password', { token, body })).status).toBe(204);
  const shares = new Set(verify.mock.calls.map(([, , { account }]) => account));
  verify.mockRestore();
  expect([...shares]).toHaveLength(1);
});

test('/login with totp reads the authenticator no more than it has to: who has one, and its seed', async () => {
  const user = await enrol(app);
  const read = vi.spyOn(app.db, 'read');
  const totp = user.code();
  expect((await app.login(user.username, PASSWORD, { totp })).status).toBe(200);
  const seeds = read.mock.calls.filter(([{ sql }]) => /from "totp"/.test(sql));
  read.mockRestore();
  expect(seeds.length).toBeLessThanOrEqual(2);
});

test('a device token that was presented is answered again, and none is minted beside it', async () => {
  const user = await app.register();
  const mint = vi.spyOn(app.kernel.deviceTokens, 'mint');
  const { body } = await app.login(user.username, PASSWORD, { device_token: user.deviceToken });
  expect([body.device_token, mint.mock.calls.length]).toEqual([user.deviceToken, 0]);
  mint.mockRestore();
});
