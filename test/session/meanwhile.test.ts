/**
 * A sign-out acts at once on what is under way too: a request that was let in and then hashed for a
 * while changes nothing any more (ASVS 7.4.1).
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PasswordHasher as Hasher } from '../../src/crypto/password-hasher.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { Reply, SignedIn, TestApp } from '../support/app.ts';
import { codeAt } from '../support/mfa.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

const column = async (name: string, id: string): Promise<unknown> =>
  (
    await app.db.read({
      sql: `SELECT ${name} FROM user WHERE id = ?`,
      params: [id],
      map: (rows) => rows.map(([value]) => value),
      returns: true,
    })
  )[0];

/** Sends the request, and ends its session the moment it begins to hash. */
async function meanwhile(
  { userId, sessionId }: SignedIn,
  send: () => Promise<Reply>,
): Promise<Reply> {
  const hasher: { hash: Hasher['hash']; verify: Hasher['verify'] } = app.kernel.passwordHasher;
  const { hash, verify } = hasher;
  let isEnded = false;
  const end = async (): Promise<void> => {
    if (isEnded) return;
    isEnded = true;
    await app.db.write([
      {
        sql: `UPDATE session SET ended_at = 1, end_reason = 'logout' WHERE id = ? AND user_id = ?`,
        params: [sessionId, userId],
        map: () => [],
        returns: false,
      },
    ]);
  };
  hasher.hash = async (...given) => {
    await end();
    return hash(...given);
  };
  hasher.verify = async (...given) => {
    await end();
    return verify(...given);
  };
  try {
    return await send();
  } finally {
    Object.assign(hasher, { hash, verify });
    expect(isEnded).toBe(true);
  }
}

test('PATCH /me with an address: 401 session_revoked, and no address is pending', async () => {
  const user = await app.register();
  const reply = await meanwhile(user, () =>
    app.call('PATCH', '/me', {
      token: user.access,
      body: { email: 'meanwhile@example.com', display_name: 'Meanwhile' },
    }),
  );
  expect([reply.status, reply.body.code]).toEqual([401, 'session_revoked']);
  expect([
    await column('pending_email', user.userId),
    await column('display_name', user.userId),
  ]).toEqual([null, null]);
  expect(await app.emails('meanwhile@example.com')).toEqual([]);
});

test('POST /me/password: 401 session_revoked, and the old password stays', async () => {
  const user = await app.register();
  const reply = await meanwhile(user, () =>
    app.call('POST', '/me/password', {
      token: user.access,
      body: { current_password: PASSWORD, new_password: 'another horse battery staple' },
    }),
  );
  expect([reply.status, reply.body.code]).toEqual([401, 'session_revoked']);
  expect((await app.login(user.username)).status).toBe(200);
});

test('POST /email/verify: 401 session_revoked, and the address is not verified', async () => {
  const user = await app.register();
  await app.call('PATCH', '/me', { token: user.access, body: { email: 'proving@example.com' } });
  const code = (await app.emails('proving@example.com'))[0]?.values['code'];
  const reply = await meanwhile(user, () =>
    app.call('POST', '/email/verify', { token: user.access, body: { code } }),
  );
  expect([reply.status, reply.body.code]).toEqual([401, 'session_revoked']);
  expect(await column('email', user.userId)).toBeNull();
});

test('POST /me/totp/confirm: 401 session_revoked, and no second factor is there', async () => {
  const user = await app.register();
  const { secret } = (await app.call('POST', '/me/totp', { token: user.access })).body;
  const reply = await meanwhile(user, () =>
    app.call('POST', '/me/totp/confirm', {
      token: user.access,
      body: { code: codeAt(secret, app.clock.now()) },
    }),
  );
  expect([reply.status, reply.body.code]).toEqual([401, 'session_revoked']);
  expect((await app.login(user.username)).body.status).toBe('authenticated');
});
