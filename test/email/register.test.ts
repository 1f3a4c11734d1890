import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

const MINUTE = 60_000;
let counter = 0;
const newAddress = (): string => `someone${++counter}@example.com`;
const begin = (email: string, password = PASSWORD) =>
  app.call('POST', '/register', { body: { email, password } });
const verify = (body: object) => app.call('POST', '/register/verify', { body });

async function provedUser(
  address = newAddress(),
): Promise<{ address: string; access: string; refresh: string; id: string }> {
  const { body } = await begin(address);
  const [letter] = await app.emails(address);
  const made = await verify({
    registration_id: body.registration_id,
    code: letter?.values['code'],
  });
  return {
    address,
    access: made.body.access_token,
    refresh: made.body.refresh_token,
    id: made.body.user.id,
  };
}

describe('registration by address alone', () => {
  test('202, an email with a code, and code and registration_id together create the account', async () => {
    const address = newAddress();
    const { status, body } = await begin(address);
    expect([status, body.status, body.expires_in]).toEqual([202, 'verification_required', 600]);
    expect((await app.login(address)).status).toBe(401);
    const [letter, ...more] = await app.emails(address);
    expect([letter?.template, more]).toEqual(['verify_registration', []]);
    const made = await verify({
      registration_id: body.registration_id,
      code: letter?.values['code'],
    });
    expect([
      made.status,
      made.body.status,
      made.body.user.email,
      made.body.user.email_verified,
    ]).toEqual([201, 'authenticated', address, true]);
    expect((await app.login(address.toUpperCase())).status).toBe(200);
    expect(
      (await verify({ registration_id: body.registration_id, code: letter?.values['code'] })).body
        .code,
    ).toBe('invalid_code');
  });

  test("by the link it takes the password that was chosen: a victim's click makes no account with an attacker's password", async () => {
    const address = newAddress();
    await begin(address, 'the password of an attacker');
    const [letter] = await app.emails(address);
    const token = new URLSearchParams(new URL(letter?.values['link'] ?? '').hash.slice(1)).get(
      'token',
    );
    expect((await verify({ token, password: 'what the victim would choose' })).body.code).toBe(
      'invalid_credentials',
    );
    expect((await app.login(address, 'the password of an attacker')).status).toBe(401);
    expect((await verify({ token, password: 'the password of an attacker' })).status).toBe(201);
    expect((await verify({ token, password: 'the password of an attacker' })).body.code).toBe(
      'token_spent_or_expired',
    );
  });

  test('R02: the link shows the configured base alone, whatever the request says, and its token is in the fragment', async () => {
    const address = newAddress();
    await app.call('POST', '/register', {
      body: { email: address, password: PASSWORD },
      headers: {
        'x-forwarded-host': 'evil.io',
        forwarded: 'host=evil.io',
        origin: 'https://evil.io',
      },
    });
    const [letter] = await app.emails(address);
    const link = new URL(letter?.values['link'] ?? '');
    expect([link.origin, link.search]).toEqual(['https://auth.example.com', '']);
    expect(link.hash).toMatch(/^#token=/);
  });

  test('E02: free and taken addresses get the same answer; the owner of a taken one is notified, without a code', async () => {
    const { address } = await provedUser();
    app.clock.advance(2 * MINUTE);
    const taken = await begin(address.toUpperCase().replace('EXAMPLE.COM', 'example.com'));
    const free = await begin(newAddress());
    expect([taken.status, Object.keys(taken.body)]).toEqual([free.status, Object.keys(free.body)]);
    expect(taken.body.registration_id).toHaveLength(free.body.registration_id.length);
    const [letter] = await app.emails(address.toUpperCase().replace('EXAMPLE.COM', 'example.com'));
    expect([letter?.template, letter?.values['code']]).toEqual(['account_exists', undefined]);
  });

  test('R01: fifty verifications in parallel make one account', async () => {
    const address = newAddress();
    const { body } = await begin(address);
    const code = (await app.emails(address))[0]?.values['code'];
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => verify({ registration_id: body.registration_id, code })),
    );
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(replies.every(({ status }) => [201, 422, 503].includes(status))).toBe(true);
  });

  test('of two registrations of one address, each with its own right code, the first to prove it has it', async () => {
    const address = newAddress();
    const first = await begin(address);
    const one = (await app.emails(address))[0]?.values['code'];
    app.clock.advance(2 * MINUTE);
    const second = await begin(address, 'the password of the second');
    const two = (await app.emails(address))[0]?.values['code'];
    expect((await verify({ registration_id: second.body.registration_id, code: two })).status).toBe(
      201,
    );
    expect(
      (await verify({ registration_id: first.body.registration_id, code: one })).body.code,
    ).toBe('invalid_code');
    expect((await app.login(address, 'the password of the second')).status).toBe(200);
  });

  test('O05, O06: a code is dead after five wrong tries, after ten minutes, and for another registration', async () => {
    const [a, b] = [newAddress(), newAddress()];
    const [ra, rb] = [await begin(a), await begin(b)];
    const [ca, cb] = [
      (await app.emails(a))[0]?.values['code'],
      (await app.emails(b))[0]?.values['code'],
    ];
    expect(
      (await verify({ registration_id: ra.body.registration_id, code: cb === ca ? '000000' : cb }))
        .body.code,
    ).toBe('invalid_code');
    const burst = await Promise.all(
      Array.from({ length: 20 }, () =>
        verify({ registration_id: ra.body.registration_id, code: 'wrong!' }),
      ),
    );
    expect(
      burst.every(({ body }) => body.code === 'invalid_code' || body.code === 'overloaded'),
    ).toBe(true);
    expect((await verify({ registration_id: ra.body.registration_id, code: ca })).body.code).toBe(
      'invalid_code',
    );
    app.clock.advance(11 * MINUTE);
    expect((await verify({ registration_id: rb.body.registration_id, code: cb })).body.code).toBe(
      'invalid_code',
    );
  });

  test('POST /register/resend sends another code within the interval, the old one dies, wrong tries stay counted', async () => {
    const address = newAddress();
    const { body } = await begin(address);
    const old = (await app.emails(address))[0]?.values['code'];
    const resend = () =>
      app.call('POST', '/register/resend', { body: { registration_id: body.registration_id } });
    expect((await resend()).status).toBe(202);
    expect(await app.emails(address)).toEqual([]);
    for (let i = 0; i < 4; i++)
      await verify({ registration_id: body.registration_id, code: 'wrong!' });
    app.clock.advance(2 * MINUTE);
    expect((await resend()).status).toBe(202);
    const fresh = (await app.emails(address))[0]?.values['code'];
    if (old !== fresh)
      expect((await verify({ registration_id: body.registration_id, code: old })).body.code).toBe(
        'invalid_code',
      );
    expect((await verify({ registration_id: body.registration_id, code: fresh })).body.code).toBe(
      'invalid_code',
    );
    expect(
      (
        await app.call('POST', '/register/resend', {
          body: { registration_id: 'nobody-has-this-one' },
        })
      ).status,
    ).toBe(202);
  });

  test('L06: fifty requests for one address send no more emails than the hour allows', async () => {
    const address = newAddress();
    for (let i = 0; i < 50; i++) {
      await begin(address);
      app.clock.advance(61_000);
    }
    const letters = await app.emails(address);
    expect(letters.length).toBeLessThanOrEqual(6);
    const burst = newAddress();
    await Promise.all(Array.from({ length: 20 }, () => begin(burst)));
    expect((await app.emails(burst)).length).toBe(1);
  });

  test('without a name and without an address: 422 at its pointer; with both proofs or half of one: 422', async () => {
    expect(
      (await app.call('POST', '/register', { body: { password: PASSWORD } })).body.errors[0]
        .pointer,
    ).toBe('/username');
    for (const body of [
      {},
      { code: '123456' },
      { registration_id: 'x' },
      { token: 'x' },
      { registration_id: 'x', code: '1', token: 'y', password: 'z' },
    ]) {
      expect((await verify(body)).status).toBe(422);
    }
  });
});

describe("the account's address", () => {
  const patch = (token: string, email: string) =>
    app.call('PATCH', '/me', { token, body: { email } });
  const prove = (token: string, code: unknown) =>
    app.call('POST', '/email/verify', { token, body: { code } });

  test('a new address is pending until its code and the account come together; the old one stays in use, is notified, and the other sessions end', async () => {
    const { address, access, refresh } = await provedUser();
    const other = await app.login(address);
    const next = newAddress();
    const changed = await patch(access, next);
    expect([changed.status, changed.body.email, changed.body.email_verified]).toEqual([
      200,
      address,
      true,
    ]);
    expect((await app.emails(address)).map(({ template }) => template)).toEqual([
      'address_change_requested',
    ]);
    expect((await app.login(next)).status).toBe(401);
    const [letter] = await app.emails(next);
    expect(letter?.template).toBe('verify_address');
    const proved = await prove(access, letter?.values['code']);
    expect([proved.status, proved.body.email, proved.body.email_verified]).toEqual([
      200,
      next,
      true,
    ]);
    expect((await app.emails(address)).map(({ template }) => template)).toEqual([
      'address_changed',
    ]);
    expect((await app.login(address)).status).toBe(401);
    expect((await app.login(next)).status).toBe(200);
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: other.body.refresh_token } }))
        .body.code,
    ).toBe('session_revoked');
    expect((await app.call('POST', '/refresh', { body: { refresh_token: refresh } })).status).toBe(
      200,
    );
  });

  test('R08: a taken address gets the same answer, its owner an email, and no code is sent', async () => {
    const [one, two] = [await provedUser(), await provedUser()];
    app.clock.advance(2 * MINUTE);
    const fresh = await app.login(one.address);
    const taken = await patch(fresh.body.access_token, two.address);
    expect([taken.status, taken.body.email]).toEqual([200, one.address]);
    expect((await app.emails(two.address)).map(({ template }) => template)).toEqual([
      'account_exists',
    ]);
  });

  test('R07, G10, E02: what others claim can not be verified once its owner has, and looks as before', async () => {
    const address = newAddress();
    const attacker = await app.call('POST', '/register', {
      body: { username: `squatter${counter}`, email: address, password: PASSWORD },
    });
    expect(attacker.body.user.email).toBe(address);
    const { access_token: token } = attacker.body;
    const shown = () => app.call('GET', '/me', { token });
    const before = await shown();
    app.clock.advance(2 * MINUTE);
    await app.call('POST', '/email/verify/resend', { token });
    const code = (await app.emails(address))[0]?.values['code'];
    await provedUser(address);
    expect((await shown()).body).toEqual(before.body);
    // The right code of the mailbox, sent before: too late.
    expect((await prove(token, code)).body.code).toBe('invalid_code');
    app.clock.advance(2 * MINUTE);
    expect((await app.call('POST', '/email/verify/resend', { token })).status).toBe(202);
    expect((await app.emails(address)).map(({ template }) => template)).toEqual(['account_exists']);
  });

  test('O05: the code of one account is no code of another, and the newest alone counts', async () => {
    const [one, two] = [await provedUser(), await provedUser()];
    const [a, b] = [newAddress(), newAddress()];
    await patch(one.access, a);
    await patch(two.access, b);
    const code = (await app.emails(b))[0]?.values['code'];
    const own = (await app.emails(a))[0]?.values['code'];
    if (code !== own) expect((await prove(one.access, code)).body.code).toBe('invalid_code');
    app.clock.advance(2 * MINUTE);
    expect((await app.call('POST', '/email/verify/resend', { token: one.access })).status).toBe(
      202,
    );
    const newest = (await app.emails(a))[0]?.values['code'];
    if (newest !== own) expect((await prove(one.access, own)).body.code).toBe('invalid_code');
    expect((await prove(one.access, newest)).status).toBe(200);
    expect((await prove(one.access, newest)).body.code).toBe('invalid_code');
  });

  test('of fifty proofs in parallel one succeeds', async () => {
    const { access } = await provedUser();
    const next = newAddress();
    await patch(access, next);
    const code = (await app.emails(next))[0]?.values['code'];
    const replies = await Promise.all(Array.from({ length: 50 }, () => prove(access, code)));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
  });
});

test('PATCH /me with a name and an address: both hold, or neither (ASVS 2.3.3)', async () => {
  const { access } = await provedUser();
  const taken = await app.register();
  const next = newAddress();
  const refused = await app.call('PATCH', '/me', {
    token: access,
    body: { username: taken.username, email: next },
  });
  expect([refused.status, refused.body.code]).toEqual([409, 'username_taken']);
  expect(await app.emails(next)).toEqual([]);
  const changed = await app.call('PATCH', '/me', {
    token: access,
    body: { username: `both${counter}`, email: next },
  });
  expect([changed.status, changed.body.username]).toEqual([200, `both${counter}`]);
  expect((await app.emails(next)).map(({ template }) => template)).toEqual(['verify_address']);
});
