import { expect, test } from 'vitest';
import { generateSync } from 'otplib';
import { createTestApp } from '../support/app.ts';

test('smoke', async () => {
  const app = await createTestApp();
  const user = await app.register('ada');
  const enrolled = await app.call('POST', '/me/totp', { token: user.access });
  expect(enrolled.status).toBe(201);
  console.log(enrolled.body);
  const code = (offset = 0) => generateSync({ secret: enrolled.body.secret, epoch: Math.floor(app.clock.now() / 1000) + offset * 30 });
  const confirmed = await app.call('POST', '/me/totp/confirm', { token: user.access, body: { code: code() } });
  console.log(confirmed.body);
  const first = await app.login('ada');
  console.log(first.body);
  const second = await app.call('POST', '/login/mfa', { body: { challenge_token: first.body.challenge_token, totp: code(1) } });
  console.log(second.status, second.body);
  console.log((await app.call('GET', '/me/factors', { token: second.body.access_token })).body);
  app.clock.advance(60_000);
  console.log((await app.login('ada', undefined, { totp: code() })).body);
  const third = await app.login('ada');
  console.log((await app.call('POST', '/login/mfa', { body: { challenge_token: third.body.challenge_token, recovery_code: confirmed.body.recovery_codes[0] } })).body);
  console.log((await app.call('DELETE', '/me/totp', { token: second.body.access_token })).status);
  await app.stop();
});
