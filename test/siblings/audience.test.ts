/** Tokens for one audience: which claims and scopes go there, and that they open nothing else. */
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demandClaims } from '../../src/core/user/claims.ts';
import { setUserClaims } from '../../src/core/user/claims.ts';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { Reply, SignedIn, TestApp } from '../support/app.ts';
import { makeKey, postForm } from '../support/api-key.ts';
import { codeAt, enrolIn } from '../support/mfa.ts';

const BILLING = 'https://billing.example.com';
const CHAT = 'https://chat.example.com';
const CONFIG = `[tokens]
profile_claims = ["name"]

[audiences."${BILLING}"]
ttl = "5m"
claims = ["roles", "preferred_username"]
scopes = ["invoices:read", "invoices:write"]

[audiences."${CHAT}"]
`;

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({ config: CONFIG });
});
afterAll(() => app.stop());

const refresh = (user: SignedIn, resource?: string): Promise<Reply> =>
  app.call('POST', '/refresh', { body: { refresh_token: user.refresh, resource } });

describe('a token for one audience', () => {
  test('has its claims, scopes and lifetime, and those alone', async () => {
    const user = await app.register('ada');
    await app.kernel.commit(operator, [
      setUserClaims(user.userId, { roles: ['admin'], tenant: 't1' }, app.clock.now()),
    ]);
    const { body } = await app.login('ada', PASSWORD, { resource: BILLING });
    expect(body.expires_in).toBe(300);
    const claims = decodeJwt(body.access_token);
    expect(claims).toMatchObject({
      aud: BILLING,
      client_id: 'postern',
      sub: user.userId,
      sid: body.session_id,
      scope: 'invoices:read invoices:write',
      roles: ['admin'],
      preferred_username: 'ada',
      acr: 'aal1',
    });
    expect(claims).not.toHaveProperty('tenant');
    expect(claims.exp).toBe(Number(claims.iat) + 300);
    const own = decodeJwt((await app.login('ada')).body.access_token);
    expect(own).toMatchObject({ aud: 'postern', roles: ['admin'], tenant: 't1' });
    expect(own).not.toHaveProperty('scope');
    const chat = decodeJwt(
      (await app.login('ada', PASSWORD, { resource: CHAT })).body.access_token,
    );
    expect(chat).not.toHaveProperty('roles');
  });

  test('is picked at each refresh anew', async () => {
    const user = await app.register();
    const first = await refresh(user, BILLING);
    expect(decodeJwt(first.body.access_token).aud).toBe(BILLING);
    const second = await refresh({ ...user, refresh: first.body.refresh_token });
    expect(decodeJwt(second.body.access_token).aud).toBe('postern');
  });

  test('is picked at the second factor', async () => {
    const user = await app.register();
    const { secret } = await enrolIn(app, user.access);
    app.clock.advance(60_000);
    const { body } = await app.login(user.username);
    const answer = { challenge_token: body.challenge_token, totp: codeAt(secret, app.clock.now()) };
    const refused = await app.call('POST', '/login/mfa', {
      body: { ...answer, resource: 'https://nobody.example.com' },
    });
    expect([refused.status, refused.body.code]).toEqual([400, 'invalid_target']);
    const done = await app.call('POST', '/login/mfa', { body: { ...answer, resource: CHAT } });
    expect(decodeJwt(done.body.access_token)).toMatchObject({ aud: CHAT, acr: 'aal2' });
  });

  test('for what is no audience here: invalid_target, and the refresh token is not spent', async () => {
    const user = await app.register();
    for (const resource of ['https://nobody.example.com', `${BILLING}/`, 'postern ', '__proto__']) {
      const signIn = await app.login(user.username, PASSWORD, { resource });
      expect([signIn.status, signIn.body.code]).toEqual([400, 'invalid_target']);
      const { status, body } = await refresh(user, resource);
      expect([status, body.code]).toEqual([400, 'invalid_target']);
    }
    expect((await refresh(user, 'postern')).status).toBe(200);
  });
});

test('J16: the longest token that can be issued is verified', async () => {
  const own = await createTestApp({
    config:
      '[tokens]\nalgorithm = "RS256"\nprofile_claims = ["preferred_username", "name", "email", "email_verified"]\n',
  });
  const email = `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(53)}.example`;
  const begun = await own.call('POST', '/register', {
    body: { email, password: PASSWORD, display_name: '🦊'.repeat(128) },
  });
  const [sent] = await own.emails(email);
  const { body } = await own.call('POST', '/register/verify', {
    body: { registration_id: begun.body.registration_id, code: sent?.values['code'] },
  });
  const note = 'x'.repeat(2_048 - '{"note":""}'.length);
  await own.kernel.commit(operator, [
    setUserClaims(body.user.id, demandClaims({ note }), own.clock.now()),
  ]);
  const { body: signedIn } = await own.login(email);
  expect(signedIn.access_token.length).toBeGreaterThan(4_096);
  expect((await own.call('GET', '/me', { token: signedIn.access_token })).status).toBe(200);
  expect((await own.call('GET', '/verify', { token: signedIn.access_token })).status).toBe(204);
  await own.stop();
});

describe('J07: the matrix of tokens and places', () => {
  test('each token opens what it is for, and nothing else', async () => {
    const user = await app.register();
    const key = await makeKey(app, 'gateway', {
      scopes: ['introspect', 'exchange'],
      audiences: [BILLING],
      mayExchangeTo: [CHAT],
    });
    const { body } = await refresh(user, BILLING);
    const exchanged = await postForm(
      app,
      '/token',
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: user.access,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      },
      key.basic,
    );
    const service = await postForm(app, '/token', { grant_type: 'client_credentials' }, key.basic);
    const tokens: readonly (readonly [name: string, token: string, isOwn: boolean])[] = [
      ['own', user.access, true],
      ['another audience', body.access_token, false],
      ['exchanged', exchanged.body.access_token, false],
      ['of a service', service.body.access_token, false],
    ];
    for (const [name, token, isOwn] of tokens) {
      const statuses = [
        (await app.call('GET', '/me', { token })).status,
        (await app.call('GET', '/verify', { token })).status,
        (await app.call('GET', '/me/sessions', { token })).status,
      ];
      expect([name, statuses]).toEqual([name, isOwn ? [200, 204, 200] : [401, 401, 401]]);
      const verified = await app.call('POST', '/verify', { body: { token } });
      expect([name, verified.body.verified]).toEqual([name, isOwn]);
      const asKey = await postForm(
        app,
        '/introspect',
        { token },
        { authorization: `Bearer ${token}` },
      );
      expect([name, asKey.status]).toEqual([name, 401]);
      const asRefresh = await app.call('POST', '/refresh', { body: { refresh_token: token } });
      expect([name, asRefresh.status]).toEqual([name, 401]);
      if (!isOwn) expect((await app.call('POST', '/logout', { token })).status).toBe(401);
      expect((await postForm(app, '/introspect', { token }, key.basic)).body.active).toBe(true);
    }
  });
});
