/**
 * Anonymous accounts: a session with nothing to sign in with, whose `sub` stays when a sign-in
 * method is added, and that is deleted when it is not used.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { person, startRig } from '../external/story.ts';
import { findListedUser } from '../../src/core/user/search.ts';
import { startReset } from '../../src/features/admin/reset-link.ts';
import { addPasskey, signIn } from '../passkey/story.ts';
import { PASSWORD, createTestApp, operator, tidy } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';
import { claimsOf } from '../support/mfa.ts';

const ON = '[registration]\nanonymous = true\n';
const MINUTE = 60_000;
const DAY = 86_400_000;

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({ config: ON });
});
afterAll(() => app.stop());

const outcome = ({ status, body }: Reply) => [status, body.code];
const begin = (own: TestApp = app, extra: object = {}) =>
  own.call('POST', '/register', { body: { anonymous: true, ...extra } });

interface Guest {
  readonly id: string;
  readonly access: string;
  readonly refresh: string;
}
async function guest(own: TestApp = app): Promise<Guest> {
  const { status, body } = await begin(own);
  expect(status).toBe(201);
  return { id: body.user.id, access: body.access_token, refresh: body.refresh_token };
}
const isAnonymous = async (access: string, own: TestApp = app): Promise<boolean> =>
  (await own.call('GET', '/me', { token: access })).body.anonymous;
const exists = async (id: string, own: TestApp = app): Promise<boolean> => {
  const sql = 'SELECT id FROM user WHERE id = ?';
  const map = (rows: readonly (readonly unknown[])[]) => rows.map(([one]) => String(one));
  return (await own.db.read({ sql, params: [id], map, returns: true })).length > 0;
};

test('are off by default, and can not be together with a second factor for everybody', async () => {
  const own = await createTestApp();
  const refused = await begin(own);
  expect(refused.body.errors).toContainEqual(
    expect.objectContaining({ pointer: '/anonymous', code: 'unknown_member' }),
  );
  await own.stop();
  const both = `${ON}[mfa]\nrequired = "all"\n`;
  await expect(createTestApp({ config: both })).rejects.toThrow();
});

describe('an anonymous account', () => {
  test('is signed in at aal0 by nothing, has no name, and is refreshed like others', async () => {
    const { status, body } = await begin(app, { display_name: 'Guest', user_metadata: { a: 1 } });
    expect([status, body.user]).toMatchObject([
      201,
      {
        anonymous: true,
        username: null,
        email: null,
        display_name: 'Guest',
        user_metadata: { a: 1 },
      },
    ]);
    expect(claimsOf(body.access_token)).toMatchObject({ amr: [], acr: 'aal0', sub: body.user.id });
    const next = await app.call('POST', '/refresh', {
      body: { refresh_token: body.refresh_token },
    });
    expect(claimsOf(next.body.access_token)).toMatchObject({ acr: 'aal0', sub: body.user.id });
    const verified = await app.call('GET', '/verify', { token: body.access_token });
    expect([verified.status, verified.headers.get('x-auth-acr')]).toEqual([204, 'aal0']);
  });

  test('with a name, a password or a value that is not true is refused', async () => {
    for (const [extra, pointer] of [
      [{ username: 'ada' }, '/username'],
      [{ email: 'ada@example.com' }, '/email'],
      [{ password: PASSWORD }, ''],
      [{ anonymous: false }, '/anonymous'],
    ] as const) {
      const { status, body } = await begin(app, extra);
      expect([status, body.errors[0].pointer]).toEqual([422, pointer]);
    }
  });

  test('is offered without usernames too, and the document says so', async () => {
    const own = await createTestApp({ config: `${ON}usernames = false\n` });
    const { status, body } = await begin(own);
    expect([status, body.user.anonymous]).toEqual([201, true]);
    const named = await own.call('POST', '/register', {
      body: { username: 'ada', password: PASSWORD },
    });
    expect(named.body.errors[0]).toMatchObject({ pointer: '/username', code: 'unknown_member' });
    const mailed = await own.call('POST', '/register', {
      body: { email: 'ada@example.com', password: PASSWORD },
    });
    expect(mailed.status).toBe(202);
    const document = (await own.call('GET', '/openapi.json')).body;
    const { responses, requestBody } = document.paths['/register'].post;
    expect(Object.keys(responses)).not.toContain('409');
    const { properties } = requestBody.content['application/json'].schema;
    expect(Object.keys(properties)).toContain('anonymous');
    await own.stop();
  });
});

describe('becomes like others, with the same sub, however long ago it began,', () => {
  test('by a passkey', async () => {
    const { id, refresh } = await guest();
    app.clock.advance(3 * DAY);
    const { body } = await app.call('POST', '/refresh', { body: { refresh_token: refresh } });
    const { made } = await addPasskey(app, { access: body.access_token });
    expect(await isAnonymous(body.access_token)).toBe(false);
    const back = await signIn(app, made);
    expect(claimsOf(back.body.access_token)).toMatchObject({ sub: id, acr: 'aal2' });
  });

  test('by a username and a password, in either order', async () => {
    for (const order of [
      ['name', 'password'],
      ['password', 'name'],
    ]) {
      const { id, access } = await guest();
      app.clock.advance(6 * MINUTE);
      const username = `was-a-guest-${order.join('-')}`;
      for (const step of order) {
        expect(await isAnonymous(access)).toBe(true);
        const done =
          step === 'name'
            ? await app.call('PATCH', '/me', { token: access, body: { username } })
            : await app.call('POST', '/me/password', {
                token: access,
                body: { new_password: PASSWORD },
              });
        expect(done.status).toBeLessThan(300);
      }
      expect(await isAnonymous(access)).toBe(false);
      expect(claimsOf((await app.login(username)).body.access_token)['sub']).toBe(id);
    }
  });

  test('by a verified address, which then sets a password', async () => {
    const { id, access } = await guest();
    const email = 'was-a-guest@example.com';
    await app.call('PATCH', '/me', { token: access, body: { email } });
    expect(await isAnonymous(access)).toBe(true);
    const code = (await app.emails(email))[0]?.values['code'];
    await app.call('POST', '/email/verify', { token: access, body: { code } });
    expect(await isAnonymous(access)).toBe(false);
    await app.call('POST', '/password/forgot', { body: { username: email } });
    const token = (await app.emails(email)).at(-1)?.values['token'];
    const reset = await app.call('POST', '/password/reset', {
      body: { token, password: PASSWORD },
    });
    expect(reset.status).toBe(204);
    expect(claimsOf((await app.login(email)).body.access_token)['sub']).toBe(id);
  });

  test('by an identity at an outside provider; then its changes need a fresh session like everybody’s', async () => {
    const rig = await startRig({ config: ON });
    const { id, access } = await guest(rig.app);
    rig.app.clock.advance(6 * MINUTE);
    expect((await rig.link(access, person('guest'))).status).toBe(201);
    expect(await isAnonymous(access, rig.app)).toBe(false);
    const patch = { token: access, body: { display_name: 'x' } };
    expect(outcome(await rig.app.call('PATCH', '/me', patch))).toEqual([
      401,
      'insufficient_user_authentication',
    ]);
    const back = await rig.signIn(person('guest'));
    expect(claimsOf(back.body.access_token)['sub']).toBe(id);
    await rig.stop();
  });

  test('not by an authenticator app, with which nobody signs in', async () => {
    const { access } = await guest();
    await app.call('POST', '/me/totp', { token: access });
    expect(await isAnonymous(access)).toBe(true);
    const passkeys = await app.call('GET', '/me/factors', { token: access });
    expect(passkeys.status).toBe(200);
  });
});

describe('what is not used', () => {
  test('is deleted after registration.anonymous_ttl: signed out, or never refreshed; others stay', async () => {
    const own = await createTestApp({ config: `${ON}anonymous_ttl = "2d"\n` });
    const idle = await guest(own);
    const out = await guest(own);
    const used = await guest(own);
    const settled = await guest(own);
    const named = await own.register();
    await own.call('POST', '/logout', { body: { refresh_token: out.refresh } });
    await addPasskey(own, settled);
    own.clock.advance(1.5 * DAY);
    await tidy(own);
    for (const { id } of [idle, out, used, settled]) expect(await exists(id, own)).toBe(true);
    const { body } = await own.call('POST', '/refresh', { body: { refresh_token: used.refresh } });
    own.clock.advance(DAY);
    await tidy(own);
    const left = await Promise.all(
      [idle.id, out.id, used.id, settled.id, named.userId].map((id) => exists(id, own)),
    );
    expect(left).toEqual([false, false, true, true, true]);
    const gone = await own.call('POST', '/refresh', { body: { refresh_token: idle.refresh } });
    expect(gone.status).toBe(401);
    const next = await own.call('POST', '/refresh', {
      body: { refresh_token: body.refresh_token },
    });
    expect(next.status).toBe(200);
    await own.stop();
  });

  test('with a password set by the link of an operator it is an account like others', async () => {
    const own = await createTestApp({ config: ON });
    const { id, access } = await guest(own);
    await own.call('PATCH', '/me', { token: access, body: { username: 'guest' } });
    const user = await findListedUser(own.db, id);
    if (user === null) throw new Error('the guest is gone');
    const page = 'https://example.com/page';
    const reset = startReset(own.kernel, {
      isOn: true,
      resetUrl: page,
      verifyUrl: page,
      linkTtlMs: DAY,
      invitationTtlMs: DAY,
    });
    const started = await reset(operator, user, 'print');
    if (started.kind !== 'printed') throw new Error('no link was printed');
    const token = /token=(.+)$/.exec(started.link)?.[1];
    const set = await own.call('POST', '/password/reset', { body: { token, password: PASSWORD } });
    expect(set.status).toBe(204);
    const signedIn = await own.call('POST', '/login', {
      body: { username: 'guest', password: PASSWORD },
    });
    expect(signedIn.body.status).toBe('authenticated');
    expect(claimsOf(signedIn.body.access_token)['acr']).toBe('aal1');
    expect(await isAnonymous(signedIn.body.access_token, own)).toBe(false);
    await own.stop();
  });

  test('is never an account that somebody can sign in to, even if it was not settled', async () => {
    const own = await createTestApp({ config: `${ON}anonymous_ttl = "2d"\n` });
    const kept = await guest(own);
    const idle = await guest(own);
    await addPasskey(own, kept);
    const sql = 'UPDATE user SET anonymous_at = created_at WHERE id = ?';
    await own.db.write([{ sql, params: [kept.id], map: () => [], returns: false }]);
    own.clock.advance(40 * DAY);
    await tidy(own);
    expect([await exists(kept.id, own), await exists(idle.id, own)]).toEqual([true, false]);
    await own.stop();
  });

  test('L08: there are registration.max_anonymous at most, whatever the parallelism; a settled one makes room', async () => {
    const own = await createTestApp({ config: `${ON}max_anonymous = 10\n` });
    const replies = await Promise.all(Array.from({ length: 25 }, () => begin(own)));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(10);
    const [refused] = replies.filter(({ status }) => status !== 201);
    expect(refused && outcome(refused)).toEqual([503, 'overloaded']);
    const first = replies.find(({ status }) => status === 201);
    await addPasskey(own, { access: first?.body.access_token });
    expect((await begin(own)).status).toBe(201);
    await own.stop();
  });
});
