import { describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';

const DAY = 86_400_000;
const NEW = 'an entirely other passphrase';

describe('a forced change (password_change_required)', () => {
  test('only after the right password; reset_token sets a new one, and then signs in', async () => {
    const app = await createTestApp();
    const user = await app.register();
    await app.kernel.accountState.expirePassword(operator, user.userId);
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: user.refresh } })).body.code,
    ).toBe('session_revoked');
    expect((await app.login(user.username, 'wrong wrong wrong wrong')).body.code).toBe(
      'invalid_credentials',
    );
    const { status, body } = await app.login(user.username);
    expect([status, body.code]).toEqual([403, 'password_change_required']);
    expect(
      (
        await app.call('POST', '/password/reset', {
          body: { token: body.reset_token, password: NEW },
        })
      ).status,
    ).toBe(204);
    expect((await app.login(user.username, NEW)).status).toBe(200);
    expect((await app.login(user.username)).status).toBe(401);
    await app.stop();
  });

  test('with a verified address the link goes there, and whoever knows the password gets nothing', async () => {
    const app = await createTestApp();
    const email = 'leaked@example.com';
    const begun = await app.call('POST', '/register', { body: { email, password: PASSWORD } });
    const code = (await app.emails(email))[0]?.values['code'];
    const { body: made } = await app.call('POST', '/register/verify', {
      body: { registration_id: begun.body.registration_id, code },
    });
    await app.kernel.accountState.expirePassword(operator, made.user.id);
    const { status, body } = await app.login(email);
    expect([status, body.code, body.email_sent]).toEqual([403, 'password_change_required', true]);
    expect([body.reset_token, body.expires_in]).toEqual([undefined, undefined]);
    // Within the interval nothing more is sent, and the answer is the same.
    expect((await app.login(email)).body.email_sent).toBe(true);
    const emails = await app.emails(email);
    expect(emails.map(({ template }) => template)).toEqual(['reset_password']);
    const token = emails[0]?.values['token'];
    expect(
      (await app.call('POST', '/password/reset', { body: { token, password: NEW } })).status,
    ).toBe(204);
    expect((await app.login(email, NEW)).status).toBe(200);
    await app.stop();
  });

  test('ASVS 6.2.10: no password expires unless the operator sets an age', async () => {
    const app = await createTestApp();
    const user = await app.register();
    app.clock.advance(400 * DAY);
    expect((await app.login(user.username)).status).toBe(200);
    await app.stop();
    const strict = await createTestApp({ config: '[password]\nmax_age = "90d"\n' });
    const other = await strict.register();
    strict.clock.advance(91 * DAY);
    const { body } = await strict.login(other.username);
    expect(body.code).toBe('password_change_required');
    await strict.call('POST', '/password/reset', {
      body: { token: body.reset_token, password: NEW },
    });
    expect((await strict.login(other.username, NEW)).status).toBe(200);
    await strict.stop();
  });
});

describe('password.history', () => {
  test('the present and the last former passwords do not come back; older ones may', async () => {
    const app = await createTestApp({ config: '[password]\nhistory = 2\n' });
    const user = await app.register();
    const words = [
      PASSWORD,
      'first other passphrase',
      'second other passphrase',
      'third other passphrase',
    ] as const;
    const change = (from: string, to: string) =>
      app.call('POST', '/me/password', {
        token: user.access,
        body: { current_password: from, new_password: to },
      });
    expect((await change(words[0], words[0])).body.errors).toEqual([
      { pointer: '/new_password', code: 'reused', detail: expect.any(String) },
    ]);
    expect((await change(words[0], words[1])).status).toBe(204);
    expect((await change(words[1], words[2])).status).toBe(204);
    expect((await change(words[2], words[0])).body.errors[0].code).toBe('reused');
    expect((await change(words[2], words[3])).status).toBe(204);
    expect((await change(words[3], words[0])).status).toBe(204);
    const rows = await app.db.read({
      sql: 'SELECT count(*) FROM password_history',
      params: [],
      map: (r) => r.map((c) => c[0]),
      returns: true,
    });
    expect(rows).toEqual([2]);
    await app.stop();
  });

  test('off by default: nothing is kept', async () => {
    const app = await createTestApp();
    const user = await app.register();
    expect(
      (
        await app.call('POST', '/me/password', {
          token: user.access,
          body: { current_password: PASSWORD, new_password: PASSWORD },
        })
      ).status,
    ).toBe(204);
    const rows = await app.db.read({
      sql: 'SELECT count(*) FROM password_history',
      params: [],
      map: (r) => r.map((c) => c[0]),
      returns: true,
    });
    expect(rows).toEqual([0]);
    await app.stop();
  });
});

test('ASVS 6.3.5: a sign-in after many failures is notified to its user', async () => {
  const app = await createTestApp();
  const address = 'noticed@example.com';
  const { body } = await app.call('POST', '/register', {
    body: { email: address, password: PASSWORD },
  });
  const code = (await app.emails(address))[0]?.values['code'];
  await app.call('POST', '/register/verify', {
    body: { registration_id: body.registration_id, code },
  });
  for (let i = 0; i < 10; i++) await app.login(address, 'wrong wrong wrong wrong');
  app.clock.advance(60_000);
  expect((await app.login(address)).status).toBe(200);
  expect(
    (await app.emails(address)).map(({ template, values }) => [template, values['failures']]),
  ).toEqual([['unusual_sign_in', '10']]);
  await app.stop();
});
