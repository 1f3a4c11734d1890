import { expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';

test('R10: /.well-known/change-password leads to the configured page, and is not there without one', async () => {
  const app = await createTestApp({
    config: '[server]\nchange_password_url = "https://app.example.com/password"\n',
  });
  const { status, headers } = await app.call('GET', '/.well-known/change-password');
  expect([status, headers.get('location')]).toEqual([302, 'https://app.example.com/password']);
  await app.stop();
  const without = await createTestApp();
  expect((await without.call('GET', '/.well-known/change-password')).status).toBe(404);
  expect(
    (await without.call('GET', '/openapi.json')).body.paths['/.well-known/change-password'],
  ).toBeUndefined();
  await without.stop();
});
