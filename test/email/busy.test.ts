import { expect, test } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';

test('a code that nobody looked at, for the queue was full, is not a wrong one: the right code still proves', async () => {
  const app = await createTestApp({ config: '[password]\nqueue_length = 1\nmemory = "256MiB"\nthreads = 1\n' });
  const address = 'busy@example.com';
  const { body } = await app.call('POST', '/register', { body: { email: address, password: PASSWORD } });
  const code = (await app.letters(address))[0]?.values['code'];
  let refused = 0;
  let looked = 0;
  while (refused < 6 && looked < 4) {
    // The lane and its one place in the queue are taken before the code comes.
    const crowd = Array.from({ length: 6 }, (_, i) => app.login(`crowd-${refused}-${looked}-${i}`));
    const reply = await app.call('POST', '/register/verify', { body: { registration_id: body.registration_id, code: 'wrong!' } });
    if (reply.body.code === 'overloaded') refused++;
    else looked++;
    await Promise.all(crowd);
  }
  // Six refusals are more than the five tries that a code has.
  expect(refused).toBe(6);
  const proved = await app.call('POST', '/register/verify', { body: { registration_id: body.registration_id, code } });
  expect(proved.status).toBe(201);
  await app.stop();
});
