import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

const MINUTE = 60_000;

describe('/me', () => {
  test('GET answers the user of the token, 401 without one', async () => {
    const { access, username } = await app.register();
    const { status, body, headers } = await app.call('GET', '/me', { token: access });
    expect([status, body.username, headers.get('cache-control')]).toEqual([
      200,
      username,
      'no-store',
    ]);
    const bare = await app.call('GET', '/me');
    expect([bare.status, bare.body.code, bare.headers.get('www-authenticate')]).toEqual([
      401,
      'invalid_token',
      'Bearer',
    ]);
    const bad = await app.call('GET', '/me', { token: 'x.y.z' });
    expect(bad.headers.get('www-authenticate')).toContain('error="invalid_token"');
  });

  test('PATCH changes what is given and leaves the rest', async () => {
    const { access } = await app.register();
    const one = await app.call('PATCH', '/me', {
      token: access,
      body: { display_name: 'Ada', user_metadata: { a: 1 } },
    });
    expect([one.status, one.body.display_name, one.body.user_metadata]).toEqual([
      200,
      'Ada',
      { a: 1 },
    ]);
    const two = await app.call('PATCH', '/me', { token: access, body: { username: 'renamed' } });
    expect([two.body.username, two.body.display_name]).toEqual(['renamed', 'Ada']);
    const three = await app.call('PATCH', '/me', { token: access, body: { display_name: null } });
    expect(three.body.display_name).toBeNull();
    expect((await app.login('renamed')).status).toBe(200);
  });

  test('PATCH: 409 username_taken, 422 for what is not a profile', async () => {
    const other = await app.register();
    const { access } = await app.register();
    expect(
      (
        await app.call('PATCH', '/me', {
          token: access,
          body: { username: other.username.toUpperCase() },
        })
      ).body.code,
    ).toBe('username_taken');
    for (const body of [
      { email_verified: true },
      { id: 'x' },
      { display_name: 'a\u0000b' },
      { display_name: '' },
      { user_metadata: [] },
      { user_metadata: { a: 'x'.repeat(9000) } },
      { username: 'a b' },
    ]) {
      expect((await app.call('PATCH', '/me', { token: access, body })).status).toBe(422);
    }
  });

  test('a pending address is shown to its owner beside the one in force', async () => {
    const { access } = await app.register();
    const email = 'pending-seen@example.com';
    const shown = async (): Promise<unknown[]> => {
      const { body } = await app.call('GET', '/me', { token: access });
      return [body.email, body.email_verified, body.pending_email];
    };
    expect(await shown()).toEqual([null, false, null]);
    await app.call('PATCH', '/me', { token: access, body: { email } });
    expect(await shown()).toEqual([email, false, email]);
    const code = (await app.emails(email))[0]?.values['code'];
    await app.call('POST', '/email/verify', { token: access, body: { code } });
    expect(await shown()).toEqual([email, true, null]);
    await app.call('PATCH', '/me', { token: access, body: { email: 'another@example.com' } });
    expect(await shown()).toEqual([email, true, 'another@example.com']);
  });

  test('fifty renames in parallel to one name: one winner', async () => {
    const users = await Promise.all(Array.from({ length: 10 }, () => app.register()));
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        app.call('PATCH', '/me', {
          token: users[i % 10]?.access ?? '',
          body: { username: i % 2 ? 'TheName' : 'thename' },
        }),
      ),
    );
    const winners = new Set(
      replies.flatMap(({ status, body }) => (status === 200 ? [body.id] : [])),
    );
    expect(winners.size).toBe(1);
    expect(replies.every(({ status }) => status === 200 || status === 409)).toBe(true);
  });

  test('PATCH and DELETE need a fresh authentication, and POST /reauthenticate gives one in the same session (RFC 9470)', async () => {
    const { access, username, refresh, sessionId } = await app.register();
    app.clock.advance(6 * MINUTE);
    for (const [method, body] of [
      ['PATCH', { display_name: 'x' }],
      ['DELETE', undefined],
    ] as const) {
      const stale = await app.call(method, '/me', {
        token: access,
        ...(body === undefined ? {} : { body }),
      });
      expect([stale.status, stale.body.code]).toEqual([401, 'insufficient_user_authentication']);
      expect(stale.headers.get('www-authenticate')).toMatch(
        /error="insufficient_user_authentication".*max_age="300"/,
      );
    }
    // A refresh is no authentication.
    const refreshed = await app.call('POST', '/refresh', { body: { refresh_token: refresh } });
    expect(
      (
        await app.call('PATCH', '/me', {
          token: refreshed.body.access_token,
          body: { display_name: 'x' },
        })
      ).status,
    ).toBe(401);
    const again = await app.call('POST', '/reauthenticate', {
      token: access,
      body: { password: 'correct horse battery staple' },
    });
    expect([again.status, again.body.session_id]).toEqual([200, sessionId]);
    expect(
      (
        await app.call('PATCH', '/me', {
          token: again.body.access_token,
          body: { display_name: 'x' },
        })
      ).status,
    ).toBe(200);
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: again.body.refresh_token } }))
        .status,
    ).toBe(200);
    expect(username).toBeTruthy();
  });

  test('DELETE takes the account, its sessions and its credentials along', async () => {
    const { access, username, userId } = await app.register();
    await app.login(username);
    expect((await app.call('DELETE', '/me', { token: access })).status).toBe(204);
    expect((await app.login(username)).body.code).toBe('invalid_credentials');
    for (const table of ['session', 'password_credential']) {
      const rows = await app.db.read({
        sql: `SELECT count(*) FROM ${table} WHERE user_id = ?`,
        params: [userId],
        map: (r) => r.map((c) => c[0]),
        returns: true,
      });
      expect([table, rows]).toEqual([table, [0]]);
    }
  });

  test('H02: __proto__ and friends are refused or plain data, and pollute nothing', async () => {
    const { access } = await app.register();
    const refused = await app.call('PATCH', '/me', {
      token: access,
      raw: '{"user_metadata":{"__proto__":{"polluted":true}}}',
    });
    expect([400, 422]).toContain(refused.status);
    const kept = await app.call('PATCH', '/me', {
      token: access,
      raw: '{"user_metadata":{"constructor":{"prototype":{"polluted":1}},"toString":1,"hasOwnProperty":2}}',
    });
    expect(kept.status).toBe(200);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(kept.body.user_metadata.toString).toBe(1);
  });
});
