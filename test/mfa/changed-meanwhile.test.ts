/** A change of factors that was authorised in a state that is over (G9, ASVS 15.4.2). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addPasskey } from '../passkey/story.ts';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { changedWhileReading } from '../support/meanwhile.ts';
import { codeAt, enrolIn } from '../support/mfa.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

test('removing the authenticator app: 409 conflict, and it stays', async () => {
  const { userId, access: token } = await app.register();
  await enrolIn(app, token);
  const reply = await changedWhileReading(app, { userId, table: 'totp' }, () =>
    app.call('DELETE', '/me/totp', { token }),
  );
  expect([reply.status, reply.body.code]).toEqual([409, 'conflict']);
  expect((await app.call('GET', '/me/factors', { token })).body.totp).not.toBeNull();
});

test('confirming an authenticator app: 409 conflict, and there is none', async () => {
  const { userId, access: token } = await app.register();
  const { secret } = (await app.call('POST', '/me/totp', { token })).body;
  const reply = await changedWhileReading(app, { userId, table: 'totp_enrolment' }, () =>
    app.call('POST', '/me/totp/confirm', {
      token,
      body: { code: codeAt(secret, app.clock.now()) },
    }),
  );
  expect([reply.status, reply.body.code]).toEqual([409, 'conflict']);
  expect((await app.call('GET', '/me/factors', { token })).body.totp).toBeNull();
});

test('removing a passkey: 409 conflict, and it stays', async () => {
  const user = await app.register();
  const { id } = await addPasskey(app, user);
  const { userId, access: token } = user;
  const reply = await changedWhileReading(app, { userId, table: 'passkey' }, () =>
    app.call('DELETE', `/me/passkeys/${id}`, { token }),
  );
  expect([reply.status, reply.body.code]).toEqual([409, 'conflict']);
  expect((await app.call('GET', '/me/factors', { token })).body.passkeys).toHaveLength(1);
});

test('confirming an authenticator app while the hash queue is full: 503, and the code is still good', async () => {
  const { access: token } = await app.register();
  const { secret } = (await app.call('POST', '/me/totp', { token })).body;
  const confirm = () =>
    app.call('POST', '/me/totp/confirm', {
      token,
      body: { code: codeAt(secret, app.clock.now()) },
    });
  const refused = await app.whileHashQueueIsFull(confirm);
  expect([refused.status, refused.body.code]).toEqual([503, 'overloaded']);
  expect((await confirm()).status).toBe(200);
});
