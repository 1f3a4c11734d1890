/**
 * What strangers can leave behind (L08), and what they can keep from an owner (L09): budgets of
 * emails, pending registrations, and the share of a mailbox that belongs to its owner.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp, tidy } from '../support/app.ts';
import type { Reply, TestApp, TestAppOptions } from '../support/app.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const apps: TestApp[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.stop();
});

/** The clients come through a proxy that names them. */
async function appWith(options: TestAppOptions): Promise<TestApp> {
  const env = {
    POSTERN_SERVER_TRUSTED_PROXIES: '127.0.0.1/32',
    POSTERN_MAIL_MAX_PER_NETWORK: '60',
    ...options.env,
  };
  const app = await createTestApp({ ...options, env });
  apps.push(app);
  return app;
}

const from = (ip: string) => ({ headers: { 'x-forwarded-for': ip } });
const forgot = (app: TestApp, username: string, ip: string): Promise<Reply> =>
  app.call('POST', '/password/forgot', { body: { username }, ...from(ip) });
const register = (app: TestApp, email: string, ip: string): Promise<Reply> =>
  app.call('POST', '/register', { body: { email, password: PASSWORD }, ...from(ip) });
const count = async (app: TestApp, table: string): Promise<unknown> =>
  (
    await app.db.read({
      sql: `SELECT count(*) FROM ${table}`,
      params: [],
      map: (rows) => rows.map((row) => row[0]),
      returns: true,
    })
  )[0];

describe('L08: rows that strangers leave', () => {
  test('one network has its share of requested emails in an hour, whoever it asks for; then it is refused and writes nothing', async () => {
    const app = await appWith({ env: { POSTERN_MAIL_MAX_PER_NETWORK: '5' } });
    for (let i = 0; i < 5; i++)
      expect((await forgot(app, `made-up-${i}@example.com`, '192.0.2.1')).status).toBe(202);
    const refused = await forgot(app, 'one-more@example.com', '192.0.2.1');
    expect([refused.status, refused.body.code]).toEqual([503, 'overloaded']);
    expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    const begun = await register(app, 'one-more@example.com', '192.0.2.1');
    expect([begun.status, begun.body.code]).toEqual([503, 'overloaded']);
    expect([await count(app, 'outbox'), await count(app, 'one_time')]).toEqual([5, 5]);
    expect((await forgot(app, 'another@example.com', '192.0.2.2')).status).toBe(202);
    app.clock.advance(HOUR + 1);
    expect((await forgot(app, 'one-more@example.com', '192.0.2.1')).status).toBe(202);
  });

  test('an IPv6 customer has one share, whichever of its addresses it uses', async () => {
    const app = await appWith({ env: { POSTERN_MAIL_MAX_PER_NETWORK: '3' } });
    for (let i = 0; i < 3; i++)
      expect((await forgot(app, `v6-${i}@example.com`, `2001:db8:7:${i}::1`)).status).toBe(202);
    expect((await forgot(app, 'v6@example.com', '2001:db8:7:9::1')).status).toBe(503);
    expect((await forgot(app, 'v6@example.com', '2001:db8:8::1')).status).toBe(202);
  });

  test('all networks together have a budget, and the rows go when their time is over', async () => {
    const app = await appWith({ env: { POSTERN_MAIL_MAX_REQUESTED: '10' } });
    const flood = async (): Promise<number> => {
      let taken = 0;
      for (let i = 0; i < 14; i++)
        if ((await forgot(app, `f${i}@example.com`, `192.0.2.${i}`)).status === 202) taken++;
      return taken;
    };
    expect(await flood()).toBe(10);
    for (let hour = 0; hour < 3; hour++) {
      app.clock.advance(HOUR + 1);
      await app.emails('nobody@example.com');
      await tidy(app);
      expect(await flood()).toBe(10);
      expect(await count(app, 'outbox')).toBeLessThanOrEqual(30);
      expect(await count(app, 'one_time')).toBeLessThanOrEqual(20);
    }
    app.clock.advance(4 * HOUR);
    await tidy(app);
    expect([await count(app, 'outbox'), await count(app, 'one_time')]).toEqual([0, 0]);
  });

  test('registrations that wait for their mailbox are counted in all, and each is small', async () => {
    const app = await appWith({ env: { POSTERN_REGISTRATION_MAX_PENDING: '10' } });
    for (let i = 0; i < 10; i++)
      expect((await register(app, `p${i}@example.com`, `192.0.2.${i}`)).status).toBe(202);
    const refused = await register(app, 'p10@example.com', '192.0.2.10');
    expect([refused.status, refused.body.code]).toEqual([503, 'overloaded']);
    expect([await count(app, 'outbox'), await count(app, 'one_time')]).toEqual([10, 10]);
    app.clock.advance(HOUR + 1);
    expect((await register(app, 'p10@example.com', '192.0.2.10')).status).toBe(202);
    const large = await app.call('POST', '/register', {
      body: {
        email: 'large@example.com',
        password: PASSWORD,
        user_metadata: { text: 'x'.repeat(2_048) },
      },
    });
    expect([large.status, large.body.errors?.[0]?.pointer]).toEqual([422, '/user_metadata']);
    const most = await app.call('POST', '/register', {
      body: {
        email: 'most@example.com',
        password: PASSWORD,
        display_name: 'd'.repeat(128),
        user_metadata: { text: 'x'.repeat(2_030) },
      },
    });
    expect(most.status).toBe(202);
    const [longest] = await app.db.read({
      sql: 'SELECT max(length(payload_sealed)) FROM one_time',
      params: [],
      map: (rows) => rows.map((row) => Number(row[0])),
      returns: true,
    });
    expect(longest).toBeLessThan(4_096);
  });
});

describe('L09: a mailbox belongs to its owner', () => {
  test('strangers who use up the share of an address keep no newcomer from registering it', async () => {
    const app = await appWith({});
    const email = 'victim@example.com';
    for (let i = 0; i < 8; i++) {
      await register(app, email, '192.0.2.66');
      app.clock.advance(MINUTE + 1);
    }
    expect(await app.emails(email)).toHaveLength(6);
    await register(app, email, '192.0.2.66');
    expect(await app.emails(email)).toEqual([]);
    const { body } = await register(app, email, '198.51.100.7');
    const [sent] = await app.emails(email);
    const made = await app.call('POST', '/register/verify', {
      body: { registration_id: body.registration_id, code: sent?.values['code'] },
      ...from('198.51.100.7'),
    });
    expect(made.status).toBe(201);
  });

  test('L06: all networks together send three times the share there, and no more', async () => {
    const app = await appWith({});
    const email = 'flooded@example.com';
    for (let i = 0; i < 40; i++) await register(app, email, `192.0.2.${i}`);
    expect(await app.emails(email)).toHaveLength(18);
  });

  test('wrong codes of a stranger, for a registration of their own, leave the owner’s tries alone', async () => {
    const app = await appWith({ env: { POSTERN_THROTTLE_ATTEMPTS: '5' } });
    const email = 'guessed@example.com';
    const verify = (registration_id: string, code: unknown, ip: string): Promise<Reply> =>
      app.call('POST', '/register/verify', { body: { registration_id, code }, ...from(ip) });
    const statuses: number[] = [];
    for (let round = 0; round < 3; round++) {
      const { body } = await register(app, email, '192.0.2.66');
      for (let i = 0; i < 3; i++)
        statuses.push((await verify(body.registration_id, 'wrong!', '192.0.2.66')).status);
      app.clock.advance(MINUTE + 1);
    }
    expect(statuses).toContain(429);
    await app.emails(email);
    const { body } = await register(app, email, '198.51.100.7');
    const code = (await app.emails(email))[0]?.values['code'];
    expect((await verify(body.registration_id, 'wrong!', '198.51.100.7')).status).toBe(422);
    expect((await verify(body.registration_id, code, '198.51.100.7')).status).toBe(201);
  });

  test('O06: codes of one address are counted over all accounts that claim it; a 429 gives the try back', async () => {
    const app = await appWith({ env: { POSTERN_THROTTLE_ATTEMPTS: '5' } });
    const email = 'claimed@example.com';
    const claim = async (): Promise<string> => {
      const { access } = await app.register();
      await app.call('PATCH', '/me', { token: access, body: { email }, ...from('192.0.2.66') });
      app.clock.advance(MINUTE + 1);
      return access;
    };
    const guess = (token: string, code: unknown): Promise<Reply> =>
      app.call('POST', '/email/verify', { token, body: { code }, ...from('192.0.2.66') });
    const accounts = [await claim(), await claim(), await claim()] as const;
    const statuses: number[] = [];
    for (const account of accounts.slice(0, 2))
      for (let i = 0; i < 3; i++) statuses.push((await guess(account, 'wrong!')).status);
    expect(statuses.filter((status) => status === 422).length).toBeLessThanOrEqual(5);
    for (let i = 0; i < 6; i++) expect((await guess(accounts[2], 'wrong!')).status).toBe(429);
    // None of the six was counted against the code or the account: both are good once time passed.
    const codes = (await app.emails(email)).map(({ values }) => values['code']);
    app.clock.advance(8 * MINUTE);
    expect((await guess(accounts[2], codes.at(-1))).status).toBe(200);
  });
});

describe('what an email leaves behind', () => {
  test('ASVS 14.2.7: a deleted account leaves its address in no email, sent or waiting', async () => {
    const app = await appWith({});
    const email = 'gone@example.com';
    const begun = await register(app, email, '192.0.2.1');
    const code = (await app.emails(email))[0]?.values['code'];
    const { body } = await app.call('POST', '/register/verify', {
      body: { registration_id: begun.body.registration_id, code },
    });
    await forgot(app, email, '192.0.2.1');
    await app.call('DELETE', '/me', { token: body.access_token });
    const left = await app.db.read({
      sql: `SELECT state FROM outbox WHERE recipient <> '' OR payload_sealed IS NOT NULL OR domain <> '-'`,
      params: [],
      map: (rows) => rows,
      returns: true,
    });
    expect(left).toEqual([]);
    expect(await app.emails(email)).toEqual([]);
    // The limits know the address still: deleting accounts is no way to fill a mailbox.
    await register(app, email, '192.0.2.1');
    expect(await app.emails(email)).toEqual([]);
  });
});

describe('R09: an address that changes while a reset is asked for', () => {
  test('the old one gets no link: it is born in the state that was read, or not at all', async () => {
    const app = await appWith({});
    const email = 'old@example.com';
    const begun = await register(app, email, '192.0.2.1');
    const code = (await app.emails(email))[0]?.values['code'];
    const { body } = await app.call('POST', '/register/verify', {
      body: { registration_id: begun.body.registration_id, code },
    });
    const { id } = body.user;
    const before = await app.db.read({
      sql: 'SELECT epoch FROM "user" WHERE id = ?',
      params: [id],
      map: (rows) => rows.map((row) => Number(row[0])),
      returns: true,
    });
    const user = { id, email, epoch: before[0] ?? 0, disabledAt: null };
    await app.call('PATCH', '/me', {
      token: body.access_token,
      body: { email: 'new@example.com' },
    });
    const change = (await app.emails('new@example.com'))[0]?.values['code'];
    const verified = await app.call('POST', '/email/verify', {
      token: body.access_token,
      body: { code: change },
    });
    expect(verified.status).toBe(200);
    await app.emails(email);
    // The request read the user before the change, and commits after it.
    const context = app.kernel.context({
      requester: { requestId: 'r', ip: '192.0.2.9', userAgent: null, locale: null },
      signal: new AbortController().signal,
    });
    const late = app.kernel.sendResetLink(context, { user, name: email });
    await app.kernel.commit(context, late);
    expect(await app.emails(email)).toEqual([]);
    expect(
      await count(
        app,
        `one_time WHERE purpose = 'password_reset' AND (user_id IS NOT NULL OR token_hash IS NOT NULL)`,
      ),
    ).toBe(0);
  });
});
