import { expect, test } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';

test('a code that nobody looked at, for the queue was full, is not a wrong one: the right code still proves', async () => {
  const app = await createTestApp({
    config: '[password]\nqueue_length = 1\nmemory = "256MiB"\nthreads = 1\n',
  });
  const address = 'busy@example.com';
  const { body } = await app.call('POST', '/register', {
    body: { email: address, password: PASSWORD },
  });
  const code = (await app.letters(address))[0]?.values['code'];
  let refused = 0;
  let looked = 0;
  while (refused < 6 && looked < 4) {
    // The lane and its one place in the queue are taken before the code comes.
    const crowd = Array.from({ length: 6 }, (_, i) => app.login(`crowd-${refused}-${looked}-${i}`));
    const reply = await app.call('POST', '/register/verify', {
      body: { registration_id: body.registration_id, code: 'wrong!' },
    });
    if (reply.body.code === 'overloaded') refused++;
    else looked++;
    await Promise.all(crowd);
  }
  // Six refusals are more than the five tries that a code has.
  expect(refused).toBe(6);
  const proved = await app.call('POST', '/register/verify', {
    body: { registration_id: body.registration_id, code },
  });
  expect(proved.status).toBe(201);
  await app.stop();
});

test('nor is a password that came with a link: the right one still makes the account', async () => {
  const app = await createTestApp({
    config:
      '[password]\nqueue_length = 1\nmemory = "256MiB"\nthreads = 1\n[throttle]\nattempts = 6\n',
  });
  const address = 'busy.link@example.com';
  await app.call('POST', '/register', { body: { email: address, password: PASSWORD } });
  const link = (await app.letters(address))[0]?.values['link'] ?? '';
  const token = new URLSearchParams(new URL(link).hash.slice(1)).get('token');
  const codes: string[] = [];
  for (let round = 0; round < 8; round++) {
    // The lane and its one place in the queue are taken.
    const taken = [1, 2].map((n) =>
      app.app.hasher.verify(null, 'nobody', { account: `taken ${n}`, client: 'here' }),
    );
    codes.push(
      (
        await app.call('POST', '/register/verify', {
          body: { token, password: 'the wrong one, if anybody looked' },
        })
      ).body.code,
    );
    await Promise.all(taken);
  }
  // More than the six that wait for nothing.
  expect(codes).toEqual(Array.from({ length: 8 }, () => 'overloaded'));
  expect(
    (await app.call('POST', '/register/verify', { body: { token, password: PASSWORD } })).status,
  ).toBe(201);
  await app.stop();
});
