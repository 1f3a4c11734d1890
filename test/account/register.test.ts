import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

const register = (body: object) => app.call('POST', '/register', { body });

describe('POST /register', () => {
  test('makes an account and signs it in', async () => {
    const { status, body } = await register({
      username: 'Grace',
      password: PASSWORD,
      display_name: 'Grace H.',
      user_metadata: { theme: 'dark' },
      email: 'Grace@Example.COM',
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({ status: 'authenticated', token_type: 'Bearer', expires_in: 900 });
    expect(body.user).toMatchObject({
      username: 'Grace',
      display_name: 'Grace H.',
      email: 'Grace@Example.COM',
      email_verified: false,
      user_metadata: { theme: 'dark' },
      mfa_enabled: false,
    });
    expect(body.user.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    const me = await app.call('GET', '/me', { token: body.access_token });
    expect(me.body).toEqual(body.user);
  });

  test('409 username_taken for every name that folds to a taken one', async () => {
    await register({ username: 'Straße', password: PASSWORD });
    for (const username of ['straße', 'STRASSE', 'strasse', 'Ｓtraße']) {
      const { status, body } = await register({ username, password: PASSWORD });
      expect([username, status, body.code]).toEqual([username, 409, 'username_taken']);
    }
  });

  test('fifty parallel registrations of one name make one account', async () => {
    for (let round = 0; round < 3; round++) {
      const replies = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          register({ username: `${i % 2 ? 'RACE' : 'race'}-${round}`, password: PASSWORD }),
        ),
      );
      const counts: Record<number, number> = {};
      for (const { status } of replies) counts[status] = (counts[status] ?? 0) + 1;
      expect(counts[201]).toBe(1);
      expect((counts[409] ?? 0) + (counts[503] ?? 0) + (counts[201] ?? 0)).toBe(50);
      const rows = await app.db.read({
        sql: `SELECT count(*) FROM "user" WHERE username_canonical = ?`,
        params: [`race-${round}`],
        map: (r) => r.map((c) => c[0]),
        returns: true,
      });
      expect(rows).toEqual([1]);
    }
  });

  test('422 invalid_request names each fault by its pointer', async () => {
    const { status, body } = await register({ username: 'no spaces here', password: PASSWORD });
    expect(status).toBe(422);
    expect(body).toMatchObject({
      code: 'invalid_request',
      errors: [{ pointer: '/username', code: 'invalid_username' }],
    });
    const short = await register({ username: 'shorty', password: 'nine char' });
    expect(short.body.errors).toEqual([
      {
        pointer: '/password',
        code: 'too_short',
        detail: 'Use at least 15 characters; this has 9.',
      },
    ]);
  });

  test.each([
    'a b',
    ' ada',
    'ada ',
    'a@b',
    '',
    '-ada',
    'a\u0000b',
    'a\u202eb',
    'x'.repeat(65),
    'a/b',
    '\ud800',
    '.ada',
  ])('refuses the username %j', async (username) => {
    const { status } = await register({ username, password: PASSWORD });
    expect(status).toBe(422);
  });

  test.each([
    'a@b',
    'a@b,c@d.io',
    'a@b;c@d.io',
    '"x y"@b.io',
    'a@[127.0.0.1]',
    'a@b@c.io',
    'group: a@b.io;',
    'a@b.io>',
    '=?utf-8?q?a?=@b.io\n',
    `${'x'.repeat(65)}@b.io`,
    ' a@b.io',
    'a@b.io ',
    'a@b..io',
    'a@-b.io',
    'a@1.2.3.4',
    'ä@b.io',
    'a@b.io\u0000',
    'a@b%2eio',
  ])('H11: refuses the address %j', async (email) => {
    const { status, body } = await register({
      username: `mail${Math.random().toString(36).slice(2)}`,
      email,
      password: PASSWORD,
    });
    expect([status, body.errors?.[0]?.pointer]).toEqual([422, '/email']);
  });

  test('H03: protected members are refused by name and nothing is made', async () => {
    for (const member of [
      'id',
      'email_verified',
      'role',
      'admin',
      'sub',
      'created_at',
      'claims',
      'epoch',
      'disabled_at',
    ]) {
      const { status, body } = await register({
        username: 'mallory',
        password: PASSWORD,
        [member]: 'x',
      });
      expect([status, body.errors]).toEqual([
        422,
        [expect.objectContaining({ pointer: `/${member}`, code: 'unknown_member' })],
      ]);
    }
    expect((await app.login('mallory')).status).toBe(401);
  });

  test.each([
    ['array', ['a']],
    ['object', { $ne: null }],
    ['number', 1e15],
    ['true', true],
    ['null', null],
  ])('P06: a password that is %s is a 422', async (_, password) => {
    const { status, body } = await register({ username: 'typed', password });
    expect([status, body.errors[0].pointer]).toEqual([422, '/password']);
  });

  test('P04: NUL, lone surrogates and control characters are refused at registration, and never sign anyone in', async () => {
    await register({ username: 'weird', password: `${PASSWORD}\ufffd` });
    for (const bad of ['\u0000', '\ud800', '\udfff', '\u0007', '\u0085']) {
      const raw = `{"username":"weird2","password":"${PASSWORD}\\u${bad.charCodeAt(0).toString(16).padStart(4, '0')}"}`;
      expect((await app.call('POST', '/register', { raw })).status).toBe(422);
      expect([401, 422]).toContain(
        (await app.call('POST', '/login', { raw: raw.replace('weird2', 'weird') })).status,
      );
    }
  });

  test('an address sent with a username is pending: it can not be used to sign in and blocks no other account', async () => {
    const one = await register({
      username: 'first',
      email: 'shared@example.com',
      password: PASSWORD,
    });
    const two = await register({
      username: 'second',
      email: 'shared@example.com',
      password: PASSWORD,
    });
    expect([one.status, two.status]).toEqual([201, 201]);
    expect((await app.login('shared@example.com')).status).toBe(401);
  });

  test('S04: a deleted user who registers again is somebody else, and old tokens stay dead', async () => {
    const before = await app.register('phoenix');
    expect((await app.call('DELETE', '/me', { token: before.access })).status).toBe(204);
    const after = await app.register('phoenix');
    expect(after.userId).not.toBe(before.userId);
    expect((await app.call('GET', '/me', { token: before.access })).body.code).toBe(
      'session_revoked',
    );
    expect((await app.call('GET', '/verify', { token: before.access })).status).toBe(401);
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: before.refresh } })).body.code,
    ).toBe('session_revoked');
  });
});

test('403 registration_closed when registration is off', async () => {
  const closed = await createTestApp({ config: '[registration]\nenabled = false\n' });
  const { status, body } = await closed.call('POST', '/register', {
    body: { username: 'ada', password: PASSWORD },
  });
  expect([status, body.code]).toEqual([403, 'registration_closed']);
  await closed.stop();
});

test('503 overloaded, at once and with Retry-After, when the hash queue is full', async () => {
  const busy = await createTestApp({ config: '[password]\nqueue_length = 1\n' });
  const send = () =>
    busy.call('POST', '/register', { body: { username: 'queued', password: PASSWORD } });
  const { status, headers, body } = await busy.whileHashQueueIsFull(send);
  expect([status, body.code]).toEqual([503, 'overloaded']);
  expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
  expect((await send()).status).toBe(201);
  await busy.stop();
});
