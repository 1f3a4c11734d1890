/** Signing in with an ID token, and linking identities to an account. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findListedUser } from '../../src/core/user/search.ts';
import { exportUser } from '../../src/features/admin/export-users.ts';
import { PASSWORD, operator } from '../support/app.ts';
import { changedWhileReading } from '../support/meanwhile.ts';
import { enrolIn } from '../support/mfa.ts';
import { person, startRig } from './story.ts';
import type { ExternalRig } from './story.ts';

let rig: ExternalRig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const outcome = ({ status, body }: { status: number; body: { code?: string } }) => [
  status,
  body.code,
];

describe('the first sign-in', () => {
  test('creates an account with the verified address and the name; the next one finds it', async () => {
    const first = await rig.signIn(person('first', 'first@example.com'));
    expect([first.status, first.body.status]).toEqual([200, 'authenticated']);
    const me = (await rig.app.call('GET', '/me', { token: first.body.access_token })).body;
    expect(me).toMatchObject({ email: 'first@example.com', display_name: 'Ada Lovelace' });
    // The provider's other address changes nothing: the identity is issuer and subject.
    const again = await rig.signIn(person('first', 'moved@example.com'));
    const same = (await rig.app.call('GET', '/me', { token: again.body.access_token })).body;
    expect([same.id, same.email]).toEqual([me.id, 'first@example.com']);
    const { body } = await rig.app.call('POST', '/verify', {
      body: { token: again.body.access_token },
    });
    expect(body.claims.amr).toEqual(['fed']);
  });

  test('of twenty at once makes one account', async () => {
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => rig.signIn(person('crowd', 'crowd@example.com'))),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    const ids = await Promise.all(
      replies.map(
        async ({ body }) =>
          (await rig.app.call('GET', '/me', { token: body.access_token })).body.id,
      ),
    );
    expect(new Set(ids).size).toBe(1);
  });

  test('is refused where registration is closed; an account that exists signs in', async () => {
    const closed = await startRig({ config: '[registration]\nenabled = false\n' });
    expect(outcome(await closed.signIn(person('new')))).toEqual([403, 'registration_closed']);
    await closed.stop();
  });

  test('asks for the second factor that the account has', async () => {
    const { body } = await rig.signIn(person('careful'));
    const { code } = await enrolIn(rig.app, body.access_token);
    const begun = await rig.signIn(person('careful'));
    expect(begun.body).toMatchObject({ status: 'mfa_required' });
    const done = await rig.app.call('POST', '/login/mfa', {
      body: { challenge_token: begun.body.challenge_token, totp: code() },
    });
    expect(done.body.status).toBe('authenticated');
  });

  test('is refused for a disabled account, and where the policy demands more', async () => {
    const { body } = await rig.signIn(person('gone'));
    const { id } = (await rig.app.call('GET', '/me', { token: body.access_token })).body;
    await rig.app.kernel.accountState.disable(operator, id);
    expect(outcome(await rig.signIn(person('gone')))).toEqual([403, 'account_disabled']);
    await rig.app.kernel.accountState.enable(operator, id);
    await rig.app.db.write([
      {
        sql: 'UPDATE user SET password_change_required_at = 1 WHERE id = ?',
        params: [id],
        map: () => [],
        returns: false,
      },
    ]);
    expect(outcome(await rig.signIn(person('gone')))).toEqual([403, 'password_change_required']);
    const strict = await startRig({ config: '[mfa]\nrequired = "all"\ngrace = "10m"\n' });
    expect((await strict.signIn(person('late'))).status).toBe(200);
    strict.app.clock.advance(11 * 60_000);
    expect(outcome(await strict.signIn(person('late')))).toEqual([403, 'mfa_enrolment_required']);
    await strict.stop();
  });

  test('goes to one audience, and to a cookie only where that is allowed', async () => {
    const elsewhere = { resource: 'https://nowhere.example.com' };
    expect(outcome(await rig.signIn(person('aim'), elsewhere))).toEqual([400, 'invalid_target']);
    const config = '[cookies]\nenabled = true\nallowed_origins = ["https://app.example.com"]\n';
    const own = await startRig({ config });
    expect(outcome(await own.signIn(person('aim'), { cookie: true }))).toEqual([
      403,
      'origin_not_allowed',
    ]);
    await own.stop();
  });

  test('at a provider that is not configured is not found', async () => {
    const body = { id_token: 'x.y.z', nonce: 'x' };
    for (const path of ['/login/external/other', '/login/external/other/nonce']) {
      const sent = path.endsWith('nonce') ? {} : { body };
      expect((await rig.app.call('POST', path, sent)).status).toBe(404);
    }
    const { access: token } = await rig.app.register();
    expect(outcome(await rig.app.call('POST', '/me/identities/other', { token, body }))).toEqual([
      404,
      'not_found',
    ]);
  });
});

describe('linking', () => {
  test('an address of an account is not taken over: its owner signs in and links (ASVS 6.8.1)', async () => {
    const begun = await rig.app.call('POST', '/register', {
      body: { email: 'owner@example.com', password: PASSWORD },
    });
    const code = (await rig.app.emails('owner@example.com'))[0]?.values['code'];
    const owner = await rig.app.call('POST', '/register/verify', {
      body: { registration_id: begun.body.registration_id, code },
    });
    expect(outcome(await rig.signIn(person('owner', 'owner@example.com')))).toEqual([
      409,
      'account_exists',
    ]);
    const token = owner.body.access_token;
    const linked = await rig.link(token, person('owner', 'owner@example.com'));
    expect([linked.status, linked.body.provider]).toEqual([201, 'shop']);
    const emails = (await rig.app.emails('owner@example.com')).map(({ template }) => template);
    expect(emails).toContain('factor_added');
    const signedIn = await rig.signIn(person('owner', 'owner@example.com'));
    const list = await rig.app.call('GET', '/me/identities', { token: signedIn.body.access_token });
    expect(list.body.identities).toMatchObject([
      { provider: 'shop', issuer: rig.issuer.url, subject: 'owner', email: 'owner@example.com' },
    ]);
    expect(
      (await rig.app.call('DELETE', '/me/identities/shop', { token: signedIn.body.access_token }))
        .status,
    ).toBe(204);
    expect(outcome(await rig.signIn(person('owner', 'owner@example.com')))).toEqual([
      409,
      'account_exists',
    ]);
  });

  test('takes only an ID token for one of our applications', async () => {
    const { access } = await rig.app.register();
    const foreign = { ...person('linked'), aud: 'another-app' };
    expect(outcome(await rig.link(access, foreign))).toEqual([401, 'invalid_credentials']);
  });

  test('one identity belongs to one account: of two accounts at once, one gets it', async () => {
    const two = [await rig.app.register(), await rig.app.register()];
    const replies = await Promise.all(two.map(({ access }) => rig.link(access, person('wanted'))));
    expect(replies.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect(replies.find(({ status }) => status === 409)?.body.code).toBe('identity_taken');
    // And one account has one of each provider.
    const won = two[replies.findIndex(({ status }) => status === 201)];
    expect(outcome(await rig.link(won?.access ?? '', person('second')))).toEqual([
      409,
      'identity_taken',
    ]);
  });

  test('needs a fresh authentication, and an account that stays as it was', async () => {
    const user = await rig.app.register();
    rig.app.clock.advance(6 * 60_000);
    const { body } = await rig.app.call('POST', '/refresh', {
      body: { refresh_token: user.refresh },
    });
    expect(outcome(await rig.link(body.access_token, person('stale')))).toEqual([
      401,
      'insufficient_user_authentication',
    ]);
    const other = await rig.app.register();
    rig.wait(11 * 60_000);
    rig.issuer.beforeKeys = async () => {
      const sql = 'UPDATE user SET epoch = epoch + 1 WHERE id = ?';
      await rig.app.db.write([{ sql, params: [other.userId], map: () => [], returns: false }]);
    };
    expect(outcome(await rig.link(other.access, person('raced')))).toEqual([409, 'conflict']);
    rig.issuer.beforeKeys = () => Promise.resolve();
  });

  test('the last way to sign in stays; with a password beside it, it goes', async () => {
    const { body } = await rig.signIn(person('only'));
    const token = body.access_token;
    const remove = () => rig.app.call('DELETE', '/me/identities/shop', { token });
    expect(outcome(await remove())).toEqual([409, 'last_sign_in_method']);
    const user = await rig.app.register();
    expect(
      outcome(await rig.app.call('DELETE', '/me/identities/shop', { token: user.access })),
    ).toEqual([404, 'not_found']);
    expect((await rig.link(user.access, person('beside'))).status).toBe(201);
    const raced = await changedWhileReading(
      rig.app,
      { userId: user.userId, table: 'external_identity' },
      () => rig.app.call('DELETE', '/me/identities/shop', { token: user.access }),
    );
    expect(outcome(raced)).toEqual([409, 'conflict']);
  });

  test('an account without a password authenticates again by it: not by another one, and once', async () => {
    const { body } = await rig.signIn(person('again'));
    await rig.signIn(person('another'));
    const token = body.access_token;
    const again = async (sub: string, provider = 'shop') => {
      const nonce = await rig.nonce();
      const id_token = await rig.issuer.idToken({ nonce, sub });
      const external = { provider, id_token, nonce };
      const send = () => rig.app.call('POST', '/reauthenticate', { token, body: { external } });
      return { first: await send(), second: await send() };
    };
    rig.app.clock.advance(6 * 60_000);
    const add = () =>
      rig.app.call('POST', '/me/password', { token, body: { new_password: PASSWORD } });
    expect(outcome(await add())).toEqual([401, 'insufficient_user_authentication']);
    expect(outcome((await again('another')).first)).toEqual([401, 'invalid_credentials']);
    expect(outcome((await again('again', 'nowhere')).first)).toEqual([401, 'invalid_credentials']);
    const { first, second } = await again('again');
    expect([first.status, outcome(second)]).toEqual([200, [401, 'invalid_credentials']]);
    const fresh = { token: first.body.access_token, body: { new_password: PASSWORD } };
    expect((await rig.app.call('POST', '/me/password', fresh)).status).toBe(204);
    rig.issuer.instead.set('/keys', { status: 500 });
    rig.wait(86_400_000 * 2);
    expect(outcome((await again('again')).first)).toEqual([503, 'provider_unavailable']);
    rig.issuer.instead.clear();
    rig.wait(60_000);
  });

  test('what is kept is in an export of the person', async () => {
    const { body } = await rig.signIn(person('exported', 'exported@example.com'));
    const { id } = (await rig.app.call('GET', '/me', { token: body.access_token })).body;
    const user = await findListedUser(rig.app.db, id);
    if (user === null) throw new Error('no such user');
    const kept = await exportUser(rig.app.kernel)(operator, user, 'without_hashes');
    expect(kept).toMatchObject({
      factors: {
        identities: [{ provider: 'shop', subject: 'exported', email: 'exported@example.com' }],
      },
    });
  });
});
