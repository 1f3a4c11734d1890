/**
 * A change of the account by its owner voids the device's token and answers a fresh one, so that
 * strangers who fill the account's counter do not keep its owner out (L02).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findUserById } from '../../src/core/user/user.ts';
import { addPasskey, tryRegister } from '../passkey/story.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { Reply, SignedIn, TestApp } from '../support/app.ts';
import { codeAt, enrolIn } from '../support/mfa.ts';

const NEW = 'another horse battery staple';
const WRONG = 'wrong horse battery staple';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

/** Fills the counter that everybody shares, and signs in by the device's own. */
async function signsInAfterFlood(name: string, password: string, device: string): Promise<void> {
  for (let n = 0; n < 12; n++) await app.login(name, WRONG);
  expect((await app.login(name, password)).status).toBe(429);
  const reply = await app.login(name, password, { device_token: device });
  expect([reply.status, reply.body.status]).toEqual([200, 'authenticated']);
}

const deviceOf = (reply: Reply): string => reply.headers.get('device-token') ?? '';

test('POST /me/password: the new device token has a counter of its own, the former token is void', async () => {
  const user = await app.register();
  const changed = await app.call('POST', '/me/password', {
    token: user.access,
    body: { current_password: PASSWORD, new_password: NEW },
  });
  expect(changed.status).toBe(204);
  await signsInAfterFlood(user.username, NEW, deviceOf(changed));
  const former = await app.login(user.username, NEW, { device_token: user.deviceToken });
  expect(former.status).toBe(429);
});

test('with the device cookie, it is answered as that cookie', async () => {
  const user = await app.register();
  const changed = await app.call('POST', '/me/password', {
    token: user.access,
    body: { current_password: PASSWORD, new_password: NEW },
    headers: { cookie: `__Host-device=${user.deviceToken}` },
  });
  const [cookie] = changed.headers.getSetCookie();
  expect(cookie).toMatch(
    /^__Host-device=d1\.[^;]+; Max-Age=\d+; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
  );
  expect(cookie).toContain(deviceOf(changed));
});

describe('each other change of what the account rests on', () => {
  const changes: readonly (readonly [string, (user: SignedIn) => Promise<Reply>])[] = [
    [
      'confirming an authenticator app',
      async ({ access: token }) => {
        const { secret } = (await app.call('POST', '/me/totp', { token })).body;
        const body = { code: codeAt(secret, app.clock.now()) };
        return app.call('POST', '/me/totp/confirm', { token, body });
      },
    ],
    [
      'removing it',
      async ({ access: token }) => {
        await enrolIn(app, token);
        return app.call('DELETE', '/me/totp', { token });
      },
    ],
    [
      'new recovery codes',
      async ({ access: token }) => {
        await enrolIn(app, token);
        return app.call('POST', '/me/recovery-codes', { token });
      },
    ],
    ['adding a passkey', async (user) => (await tryRegister(app, user)).reply],
    [
      'removing one',
      async (user) => {
        const { id } = await addPasskey(app, user);
        return app.call('DELETE', `/me/passkeys/${id}`, { token: user.access });
      },
    ],
    [
      'verifying an address',
      async ({ access: token, userId }) => {
        const email = `${userId}@example.com`;
        await app.call('PATCH', '/me', { token, body: { email } });
        const code = (await app.emails(email))[0]?.values['code'];
        return app.call('POST', '/email/verify', { token, body: { code } });
      },
    ],
  ];

  test.each(changes)('%s answers a device token of the new state', async (_, change) => {
    const user = await app.register();
    const reply = await change(user);
    expect([reply.status < 300, reply.body]).toEqual([true, reply.body]);
    const now = await findUserById(app.db, user.userId);
    if (now === null) throw new Error('gone');
    expect(app.kernel.deviceTokens.deviceOf(deviceOf(reply), now)).not.toBeNull();
  });
});
