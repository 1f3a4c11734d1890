/**
 * Nothing in an answer tells whether an account is there (E01–E05): status, body, headers and
 * letters of every branch side by side.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SMS_SIGN_IN, ask, newNetwork, newNumber, owner, setPhone } from '../phone/rig.ts';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    config: '[cookies]\nenabled = true\nallowed_origins = ["https://app.example.com"]\n',
  });
});
afterAll(() => app.stop());

const WRONG = 'wrong horse battery staple';
const MINUTE = 60_000;
let counter = 0;
const newAddress = (): string => `owner${++counter}@example.com`;
const register = (email: string) =>
  app.call('POST', '/register', { body: { email, password: PASSWORD } });
const forgot = (username: string) => app.call('POST', '/password/forgot', { body: { username } });

async function provedUser(): Promise<{ address: string; access: string; id: string }> {
  const address = newAddress();
  const { body } = await register(address);
  const code = (await app.emails(address))[0]?.values['code'];
  const made = await app.call('POST', '/register/verify', {
    body: { registration_id: body.registration_id, code },
  });
  return { address, access: made.body.access_token, id: made.body.user.id };
}

/** Values that are another in every answer, whoever asks. */
const OWN = new Set(['date', 'x-request-id', 'content-length', 'retry-after']);

/**
 * All that a caller sees, ids by their length: the status, every header with its value, the body.
 */
function seen({ status, headers, body }: Reply): object {
  const shown = [...headers]
    .map(([name, value]) => (OWN.has(name) ? name : `${name}: ${value}`))
    .sort();
  const members =
    typeof body === 'object'
      ? Object.entries(body)
          .filter(([name]) => name !== 'request_id')
          .map(([name, value]) =>
            name === 'registration_id'
              ? `${name}: ${String(value).length}`
              : `${name}: ${JSON.stringify(value)}`,
          )
      : body;
  return { status, shown, members };
}

/** Expects one answer of all, and names the odd one out. */
function expectAlike(replies: Readonly<Record<string, Reply>>): void {
  const [first, ...others] = Object.entries(replies).map(([name, reply]) => ({
    name,
    seen: seen(reply),
  }));
  for (const other of others) expect(other).toEqual({ name: other.name, seen: first?.seen });
}

describe('E01: POST /login', () => {
  test('unknown, wrong, disabled, pending, without a password, no name at all: one answer', async () => {
    const proved = await provedUser();
    const named = await app.register();
    const disabled = await provedUser();
    await app.kernel.accountState.disable(operator, disabled.id);
    const pending = newAddress();
    await app.call('POST', '/register', {
      body: { username: `pending${counter}`, email: pending, password: PASSWORD },
    });
    const begun = newAddress();
    await register(begun);
    const bare = await provedUser();
    await app.db.write([
      {
        sql: 'DELETE FROM password_credential WHERE user_id = ?',
        params: [bare.id],
        map: () => [],
        returns: false,
      },
    ]);
    expectAlike({
      'unknown name': await app.login('nobody-of-this-name', WRONG),
      'unknown address': await app.login(newAddress(), WRONG),
      'no name': await app.login('no name @', WRONG),
      'an empty name': await app.login('', WRONG),
      'wrong, by address': await app.login(proved.address, WRONG),
      'wrong, by name': await app.login(named.username, WRONG),
      'disabled, wrong': await app.login(disabled.address, WRONG),
      'right password, unproved address': await app.login(pending, PASSWORD),
      'right password, registration begun': await app.login(begun, PASSWORD),
      'no password': await app.login(bare.address, PASSWORD),
      'a password too long to be one': await app.login(proved.address, 'x'.repeat(1_000)),
      'an empty password': await app.login(proved.address, ''),
      'a device token of nobody': await app.login(proved.address, WRONG, {
        device_token: `d1.${'A'.repeat(16)}.${'A'.repeat(43)}`,
      }),
    });
  });

  test('E05: twenty wrong passwords meet the limit at the same try, with the same answers, for known and unknown names', async () => {
    const own = await createTestApp();
    const proved = newAddress();
    const { body } = await own.call('POST', '/register', {
      body: { email: proved, password: PASSWORD },
    });
    await own.call('POST', '/register/verify', {
      body: {
        registration_id: body.registration_id,
        code: (await own.emails(proved))[0]?.values['code'],
      },
    });
    const { username } = await own.register();
    const disabled = await own.register();
    await own.kernel.accountState.disable(operator, disabled.userId);
    const names = [
      proved,
      username,
      disabled.username,
      'nobody-of-this-name',
      newAddress(),
      'no name @',
      '',
    ];
    for (let i = 1; i <= 20; i++) {
      const replies: Record<string, Reply> = {};
      for (const name of names) {
        const reply = await own.login(name, WRONG);
        // Seconds pass between the first and the last of a round.
        if (reply.status === 429)
          expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(20);
        replies[`${name}, try ${i}`] = reply;
      }
      expectAlike(replies);
    }
    await own.stop();
  });
});

describe('E02: POST /register by address', () => {
  test('taken, free, pending elsewhere, of a disabled account, begun before, limited: one answer; emails only to the owner', async () => {
    const taken = await provedUser();
    const disabled = await provedUser();
    await app.kernel.accountState.disable(operator, disabled.id);
    const pending = newAddress();
    await app.call('POST', '/register', {
      body: { username: `claims${counter}`, email: pending, password: PASSWORD },
    });
    const begun = newAddress();
    await register(begun);
    app.clock.advance(2 * MINUTE);
    const free = newAddress();
    expectAlike({
      free: await register(free),
      taken: await register(taken.address),
      'taken, spelled otherwise': await register(taken.address.toUpperCase()),
      disabled: await register(disabled.address),
      pending: await register(pending),
      begun: await register(begun),
      'free, limited': await register(free),
      'taken, limited': await register(taken.address),
    });
    const told = async (address: string): Promise<string[]> =>
      (await app.emails(address)).map(({ template }) => template);
    expect(await told(taken.address)).toEqual(['account_exists']);
    expect(await told(disabled.address)).toEqual(['account_exists']);
    expect(await told(free)).toEqual(['verify_registration']);
    expect(await told(pending)).toEqual(['verify_registration']);
  });

  test('a password that is refused is refused alike', async () => {
    const taken = await provedUser();
    const weak = (email: string) =>
      app.call('POST', '/register', { body: { email, password: 'short' } });
    expectAlike({ free: await weak('owner0@example.com'), taken: await weak(taken.address) });
  });

  test('E03: POST /register/resend: of a free, a taken, an unknown, a spent registration', async () => {
    const resend = (registration_id: string) =>
      app.call('POST', '/register/resend', { body: { registration_id } });
    const taken = await provedUser();
    app.clock.advance(2 * MINUTE);
    const free = await register(newAddress());
    const ofTaken = await register(taken.address);
    const spentAddress = newAddress();
    const spent = await register(spentAddress);
    await app.call('POST', '/register/verify', {
      body: {
        registration_id: spent.body.registration_id,
        code: (await app.emails(spentAddress))[0]?.values['code'],
      },
    });
    expectAlike({
      'free, limited': await resend(free.body.registration_id),
      'taken, limited': await resend(ofTaken.body.registration_id),
      unknown: await resend('nobody-has-this-one'),
      spent: await resend(spent.body.registration_id),
    });
    app.clock.advance(2 * MINUTE);
    expectAlike({
      free: await resend(free.body.registration_id),
      taken: await resend(ofTaken.body.registration_id),
      unknown: await resend('nor-this-one'),
    });
    expect(
      (await app.emails(taken.address)).every(
        ({ template, values }) => template === 'account_exists' && values['code'] === undefined,
      ),
    ).toBe(true);
  });

  test('POST /register/verify: a wrong code of a free, a taken, an unknown registration, and the right code of a taken one', async () => {
    const taken = await provedUser();
    app.clock.advance(2 * MINUTE);
    const verify = (registration_id: string) =>
      app.call('POST', '/register/verify', { body: { registration_id, code: 'wrong!' } });
    expectAlike({
      free: await verify((await register(newAddress())).body.registration_id),
      taken: await verify((await register(taken.address)).body.registration_id),
      unknown: await verify('nobody-has-this-one'),
    });
  });
});

describe('E03: POST /password/forgot', () => {
  test('known, unknown, disabled, pending, by username, limited, no name: one answer; one email to the known one', async () => {
    const known = await provedUser();
    const disabled = await provedUser();
    await app.kernel.accountState.disable(operator, disabled.id);
    const { username } = await app.register();
    const pending = newAddress();
    await app.call('POST', '/register', {
      body: { username: `forgot${counter}`, email: pending, password: PASSWORD },
    });
    const unknown = newAddress();
    expectAlike({
      unknown: await forgot(unknown),
      known: await forgot(known.address),
      'known, limited': await forgot(known.address),
      'unknown, limited': await forgot(unknown),
      'known, spelled otherwise': await forgot(known.address.toUpperCase()),
      disabled: await forgot(disabled.address),
      'a name without an address': await forgot(username),
      'a name with a pending address': await forgot(`forgot${counter}`),
      pending: await forgot(pending),
      'no name': await forgot('no name @'),
      empty: await forgot(''),
    });
    expect((await app.emails(known.address)).map(({ template }) => template)).toEqual([
      'reset_password',
    ]);
    for (const nobody of [unknown, disabled.address, pending, '', 'no name @'])
      expect([nobody, await app.emails(nobody)]).toEqual([nobody, []]);
  });
});

describe('E03: POST /login/otp with a number', () => {
  test('of an account, of nobody, of a disabled one, pending, limited: one answer', async () => {
    const own = await createTestApp({ config: SMS_SIGN_IN });
    const [known, disabled] = [await owner(own), await owner(own)];
    await own.kernel.accountState.disable(operator, disabled.id);
    const pending = newNumber();
    await setPhone(own, known.access, pending);
    own.clock.advance(2 * MINUTE);
    const unknown = newNumber();
    const [one, other] = [newNetwork(), newNetwork()];
    const replies = {
      unknown: await ask(own, unknown, one),
      known: await ask(own, known.phone, other),
      'known, limited': await ask(own, known.phone, other),
      'unknown, limited': await ask(own, unknown, one),
      disabled: await ask(own, disabled.phone),
      pending: await ask(own, pending),
    };
    const sameLength = Object.entries(replies).map(([name, reply]) => {
      const otp_id = String(reply.body.otp_id).length;
      return [name, { ...reply, body: { ...reply.body, otp_id } }];
    });
    expectAlike(Object.fromEntries(sameLength));
    expect(await own.texts(unknown)).toEqual([]);
    expect(await own.texts(known.phone)).toHaveLength(1);
    await own.stop();
  });
});

describe('E02: PATCH /me with an address', () => {
  test('taken, free, limited: one answer but for the address; the owner of a taken one is notified, and no code is valid', async () => {
    const users = [await provedUser(), await provedUser(), await provedUser()] as const;
    const taken = await provedUser();
    app.clock.advance(2 * MINUTE);
    const logins = await Promise.all(users.map(({ address }) => app.login(address)));
    const patch = async (who: 0 | 1 | 2, email: string): Promise<Reply> => {
      const reply = await app.call('PATCH', '/me', {
        token: logins[who]?.body.access_token,
        body: { email },
      });
      return {
        ...reply,
        body: {
          ...reply.body,
          email: '',
          pending_email: '',
          created_at: '',
          updated_at: '',
          id: '',
        },
      };
    };
    const free = newAddress();
    expectAlike({
      free: await patch(0, free),
      taken: await patch(1, taken.address),
      'taken, limited': await patch(2, taken.address),
    });
    expect((await app.emails(free)).map(({ template }) => template)).toEqual(['verify_address']);
    expect(
      (await app.emails(taken.address)).map(({ template, values }) => [template, values['code']]),
    ).toEqual([['account_exists', undefined]]);
    const resend = (who: 0 | 1) =>
      app.call('POST', '/email/verify/resend', { token: logins[who]?.body.access_token });
    app.clock.advance(2 * MINUTE);
    expectAlike({ free: await resend(0), taken: await resend(1) });
    const verify = (who: 0 | 1) =>
      app.call('POST', '/email/verify', {
        token: logins[who]?.body.access_token,
        body: { code: 'wrong!' },
      });
    expectAlike({ free: await verify(0), taken: await verify(1) });
  });
});

test('E02: a claim on an address that its owner has verified looks like any other', async () => {
  const planted = newAddress();
  const free = newAddress();
  const claim = async (email: string): Promise<string> => {
    const reply = await app.call('POST', '/register', {
      body: { username: `plants${++counter}`, email, password: PASSWORD },
    });
    return reply.body.access_token;
  };
  const [known, unknown] = [await claim(planted), await claim(free)];
  const begun = await register(planted);
  const code = (await app.emails(planted))[0]?.values['code'];
  const made = await app.call('POST', '/register/verify', {
    body: { registration_id: begun.body.registration_id, code },
  });
  expect(made.status).toBe(201);
  const me = async (token: string): Promise<Reply> => {
    const reply = await app.call('GET', '/me', { token });
    const { email, email_verified, display_name } = reply.body;
    const isShown = email === planted || email === free;
    return { ...reply, body: { isShown, email_verified, display_name } };
  };
  const resend = (token: string) => app.call('POST', '/email/verify/resend', { token });
  const verify = (token: string) =>
    app.call('POST', '/email/verify', { token, body: { code: 'wrong!' } });
  expectAlike({ known: await me(known), unknown: await me(unknown) });
  expect((await me(known)).body.isShown).toBe(true);
  for (let i = 0; i < 3; i++) {
    expectAlike({ known: await resend(known), unknown: await resend(unknown) });
    expectAlike({ known: await verify(known), unknown: await verify(unknown) });
    app.clock.advance(2 * MINUTE);
  }
  expectAlike({ known: await me(known), unknown: await me(unknown) });
  expect((await app.emails(planted)).every(({ values }) => values['code'] === undefined)).toBe(
    true,
  );
});

test('ASVS 6.3.8: with registration.usernames = false there is no name to learn of: no route takes one or refuses one as taken, and addresses are answered alike', async () => {
  const own = await createTestApp({ config: '[registration]\nusernames = false\n' });
  expect(own.routes.filter(({ problems }) => problems.includes('username_taken'))).toEqual([]);
  const send = (body: object) => own.call('POST', '/register', { body });
  const named = await send({ username: 'ada', password: PASSWORD });
  expect([
    named.status,
    named.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort(),
  ]).toEqual([422, ['/email', '/username']]);
  const address = newAddress();
  const first = await send({ email: address, password: PASSWORD });
  const made = await own.call('POST', '/register/verify', {
    body: {
      registration_id: first.body.registration_id,
      code: (await own.emails(address))[0]?.values['code'],
    },
  });
  expect(made.status).toBe(201);
  expectAlike({
    free: await send({ email: newAddress(), password: PASSWORD }),
    taken: await send({ email: address, password: PASSWORD }),
  });
  const renamed = await own.call('PATCH', '/me', {
    token: made.body.access_token,
    body: { username: 'ada' },
  });
  expect([renamed.status, renamed.body.errors[0]]).toEqual([
    422,
    expect.objectContaining({ pointer: '/username', code: 'unknown_member' }),
  ]);
  const { body } = await own.call('GET', '/openapi.json');
  expect(Object.keys(body.paths['/register'].post.responses)).not.toContain('409');
  await own.stop();
});
