/** Each refusal that the routes around letters declare, brought about at that route. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { Reply, SignedIn, TestApp } from '../support/app.ts';

let app: TestApp;
let cookies: TestApp;
let busy: TestApp;
beforeAll(async () => {
  app = await createTestApp();
  cookies = await createTestApp({
    config: '[cookies]\nenabled = true\nallowed_origins = ["https://web.example.com"]\n',
  });
  busy = await createTestApp({ config: '[password]\nqueue_length = 1\n' });
});
afterAll(() => Promise.all([app, cookies, busy].map((own) => own.stop())));

const MINUTE = 60_000;
const NEW = 'an entirely other passphrase';
let counter = 0;
const newAddress = (): string => `refused${++counter}@example.com`;

interface Begun {
  readonly address: string;
  readonly id: string;
  readonly code: string;
  readonly token: string;
}
async function begin(own: TestApp, address = newAddress()): Promise<Begun> {
  const { body } = await own.call('POST', '/register', {
    body: { email: address, password: PASSWORD },
  });
  const [letter] = await own.emails(address);
  const token = new URLSearchParams(new URL(letter?.values['link'] ?? '').hash.slice(1)).get(
    'token',
  );
  return {
    address,
    id: body.registration_id,
    code: letter?.values['code'] ?? '',
    token: token ?? '',
  };
}
async function proved(own: TestApp): Promise<string> {
  const { address, id, code } = await begin(own);
  expect(
    (await own.call('POST', '/register/verify', { body: { registration_id: id, code } })).status,
  ).toBe(201);
  return address;
}
/** A user whose new address waits for its code. */
async function pending(own: TestApp): Promise<SignedIn & { code: string }> {
  const user = await own.register();
  const email = newAddress();
  expect((await own.call('PATCH', '/me', { token: user.access, body: { email } })).status).toBe(
    200,
  );
  return { ...user, code: (await own.emails(email))[0]?.values['code'] ?? '' };
}
async function resetToken(own: TestApp): Promise<string> {
  const username = await proved(own);
  expect((await own.call('POST', '/password/forgot', { body: { username } })).status).toBe(202);
  return (
    (await own.emails(username)).find(({ template }) => template === 'reset_password')?.values[
      'token'
    ] ?? ''
  );
}
/** Another code than this one, of the same form. */
const wrong = (code: string): string => (code === '000000' ? '000001' : '000000');

function expectRefusal({ status, body, headers }: Reply, expected: number, code: string): void {
  expect([status, body.code]).toEqual([expected, code]);
  if (expected === 429 || expected === 503)
    expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
}

describe('invalid_code', () => {
  test('POST /register/verify: a wrong code, and a registration that is none', async () => {
    const { id, code } = await begin(app);
    expectRefusal(
      await app.call('POST', '/register/verify', {
        body: { registration_id: id, code: wrong(code) },
      }),
      422,
      'invalid_code',
    );
    expectRefusal(
      await app.call('POST', '/register/verify', { body: { registration_id: 'x', code } }),
      422,
      'invalid_code',
    );
    expect(
      (await app.call('POST', '/register/verify', { body: { registration_id: id, code } })).status,
    ).toBe(201);
  });

  test('POST /email/verify: a wrong code, and no address that waits for one', async () => {
    const { access, code } = await pending(app);
    expectRefusal(
      await app.call('POST', '/email/verify', { token: access, body: { code: wrong(code) } }),
      422,
      'invalid_code',
    );
    expect(
      (await app.call('POST', '/email/verify', { token: access, body: { code } })).status,
    ).toBe(200);
    expectRefusal(
      await app.call('POST', '/email/verify', { token: access, body: { code } }),
      422,
      'invalid_code',
    );
  });
});

describe('token_spent_or_expired', () => {
  test('POST /register/verify: a link that was used, and one past its life', async () => {
    const { token } = await begin(app);
    expect(
      (await app.call('POST', '/register/verify', { body: { token, password: PASSWORD } })).status,
    ).toBe(201);
    expectRefusal(
      await app.call('POST', '/register/verify', { body: { token, password: PASSWORD } }),
      410,
      'token_spent_or_expired',
    );
    const old = await begin(app);
    app.clock.advance(61 * MINUTE);
    expectRefusal(
      await app.call('POST', '/register/verify', {
        body: { token: old.token, password: PASSWORD },
      }),
      410,
      'token_spent_or_expired',
    );
  });

  test('POST /password/reset/check and POST /password/reset: a link that was used', async () => {
    const token = await resetToken(app);
    expect((await app.call('POST', '/password/reset/check', { body: { token } })).status).toBe(204);
    expect(
      (await app.call('POST', '/password/reset', { body: { token, password: NEW } })).status,
    ).toBe(204);
    expectRefusal(
      await app.call('POST', '/password/reset/check', { body: { token } }),
      410,
      'token_spent_or_expired',
    );
    expectRefusal(
      await app.call('POST', '/password/reset', { body: { token, password: NEW } }),
      410,
      'token_spent_or_expired',
    );
  });
});

test('invalid_credentials: POST /register/verify by the link with another password', async () => {
  const { token, address } = await begin(app);
  expectRefusal(
    await app.call('POST', '/register/verify', { body: { token, password: NEW } }),
    401,
    'invalid_credentials',
  );
  expect((await app.login(address, NEW)).status).toBe(401);
});

test('password_change_required: POST /login, to who knows the password alone', async () => {
  const user = await app.register();
  await app.kernel.accountState.expirePassword(operator, user.userId);
  expectRefusal(
    await app.call('POST', '/login', { body: { username: user.username, password: NEW } }),
    401,
    'invalid_credentials',
  );
  const reply = await app.call('POST', '/login', {
    body: { username: user.username, password: PASSWORD },
  });
  expectRefusal(reply, 403, 'password_change_required');
  expect([reply.body.access_token, typeof reply.body.reset_token]).toEqual([undefined, 'string']);
});

test('origin_not_allowed: POST /register/verify with cookie, and nothing is spent by it', async () => {
  const { id, code } = await begin(cookies);
  const verify = (headers: Record<string, string>) =>
    cookies.call('POST', '/register/verify', {
      body: { registration_id: id, code, cookie: true },
      headers,
    });
  expectRefusal(await verify({}), 403, 'origin_not_allowed');
  expectRefusal(await verify({ origin: 'https://evil.example' }), 403, 'origin_not_allowed');
  const made = await verify({ origin: 'https://web.example.com' });
  expect([made.status, made.body.refresh_token]).toEqual([201, undefined]);
  expect(made.headers.get('set-cookie')).toMatch(/^__Host-/);
});

describe('too_many_attempts', () => {
  test('POST /register/verify: passwords at a link', async () => {
    const { token } = await begin(app);
    const verify = (password: string) =>
      app.call('POST', '/register/verify', { body: { token, password } });
    for (let i = 0; i < 10; i++)
      expectRefusal(await verify(`${NEW} ${i}`), 401, 'invalid_credentials');
    expectRefusal(await verify(`${NEW} again`), 429, 'too_many_attempts');
    // The right one waits too, or it would be told by that.
    expectRefusal(await verify(PASSWORD), 429, 'too_many_attempts');
  });

  test('POST /email/verify: codes at an account, new ones asked for or not', async () => {
    const user = await pending(app);
    const verify = (code: string) =>
      app.call('POST', '/email/verify', { token: user.access, body: { code } });
    for (let i = 0; i < 10; i++) expectRefusal(await verify(wrong(user.code)), 422, 'invalid_code');
    expectRefusal(await verify(wrong(user.code)), 429, 'too_many_attempts');
  });
});

describe('overloaded: the hashes of codes and passwords are bounded everywhere', () => {
  const expectOverloaded = async (send: () => Promise<Reply>): Promise<void> =>
    expectRefusal(await busy.whileHashQueueIsFull(send), 503, 'overloaded');

  test('POST /register/verify, which counts no code that it did not compare against its owner', async () => {
    const { id, code } = await begin(busy);
    await expectOverloaded(() =>
      busy.call('POST', '/register/verify', { body: { registration_id: id, code: wrong(code) } }),
    );
  });

  test('POST /register/resend', async () => {
    const { id } = await begin(busy);
    await expectOverloaded(() =>
      busy.call('POST', '/register/resend', { body: { registration_id: id } }),
    );
  });

  test('PATCH /me', async () => {
    const { access } = await busy.register();
    await expectOverloaded(() =>
      busy.call('PATCH', '/me', { token: access, body: { email: 'crowd@example.com' } }),
    );
  });

  test('POST /email/verify', async () => {
    const { access, code } = await pending(busy);
    await expectOverloaded(() =>
      busy.call('POST', '/email/verify', { token: access, body: { code: wrong(code) } }),
    );
  });

  test('POST /email/verify/resend', async () => {
    const { access } = await pending(busy);
    await expectOverloaded(() => busy.call('POST', '/email/verify/resend', { token: access }));
  });

  test('POST /password/reset: and the link stays good', async () => {
    const token = await resetToken(busy);
    await expectOverloaded(() =>
      busy.call('POST', '/password/reset', { body: { token, password: NEW } }),
    );
    expect(
      (await busy.call('POST', '/password/reset', { body: { token, password: NEW } })).status,
    ).toBeLessThan(300);
  });
});
