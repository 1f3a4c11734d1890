import { expect, test } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';

test('a code that nobody looked at, for the queue was full, is not a wrong one: the right code still proves', async () => {
  const app = await createTestApp({
    config: '[password]\nqueue_length = 1\n',
  });
  const address = 'busy@example.com';
  const { body } = await app.call('POST', '/register', {
    body: { email: address, password: PASSWORD },
  });
  const code = (await app.emails(address))[0]?.values['code'];
  await app.whileHashQueueIsFull(async () => {
    // Six are more than the five tries that a code has.
    for (let i = 0; i < 6; i++) {
      const reply = await app.call('POST', '/register/verify', {
        body: { registration_id: body.registration_id, code: 'wrong!' },
      });
      expect(reply.body.code).toBe('overloaded');
    }
  });
  const proved = await app.call('POST', '/register/verify', {
    body: { registration_id: body.registration_id, code },
  });
  expect(proved.status).toBe(201);
  await app.stop();
});

test('nor is a password that came with a link: the right one still makes the account', async () => {
  const app = await createTestApp({
    config: '[password]\nqueue_length = 1\n[throttle]\nattempts = 6\n',
  });
  const address = 'busy.link@example.com';
  await app.call('POST', '/register', { body: { email: address, password: PASSWORD } });
  const link = (await app.emails(address))[0]?.values['link'] ?? '';
  const token = new URLSearchParams(new URL(link).hash.slice(1)).get('token');
  await app.whileHashQueueIsFull(async () => {
    // More than the six that wait for nothing.
    for (let i = 0; i < 8; i++) {
      const { body } = await app.call('POST', '/register/verify', {
        body: { token, password: 'the wrong one, if anybody looked' },
      });
      expect(body.code).toBe('overloaded');
    }
  });
  expect(
    (await app.call('POST', '/register/verify', { body: { token, password: PASSWORD } })).status,
  ).toBe(201);
  await app.stop();
});
