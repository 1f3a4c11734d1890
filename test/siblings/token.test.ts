/** POST /token: services' own tokens, and users' tokens exchanged for narrower ones. */
import fc from 'fast-check';
import { decodeJwt } from 'jose';
import type { JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setUserClaims } from '../../src/core/user/claims.ts';
import { revokeApiKey } from '../../src/features/api-key/revoke-api-key.ts';
import { createTestApp, operator } from '../support/app.ts';
import type { Reply, SignedIn, TestApp } from '../support/app.ts';
import { makeKey, postForm } from '../support/api-key.ts';
import type { MadeKey } from '../support/api-key.ts';

const [BILLING, CHAT, LEDGER] = ['billing', 'chat', 'ledger'].map(
  (name) => `https://${name}.example.com`,
) as [string, string, string];
const CONFIG = `[audiences."${BILLING}"]
claims = ["roles", "tenant", "email"]
scopes = ["read", "write"]

[audiences."${CHAT}"]
ttl = "1m"
claims = ["roles"]
scopes = ["read", "send"]

[audiences."${LEDGER}"]
claims = ["tenant", "roles"]
scopes = ["write", "read"]
`;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS = 'urn:ietf:params:oauth:token-type:access_token';

let app: TestApp;
let gateway: MadeKey;
let ledger: MadeKey;
beforeAll(async () => {
  app = await createTestApp({ config: CONFIG });
  gateway = await makeKey(app, 'gateway', {
    scopes: ['exchange', 'introspect'],
    audiences: [BILLING, CHAT],
    mayExchangeTo: [BILLING, CHAT],
    claims: { roles: ['gateway'], tenant: 't9' },
  });
  ledger = await makeKey(app, 'ledger', { scopes: ['exchange'], mayExchangeTo: [LEDGER] });
});
afterAll(() => app.stop());

const token = (form: Record<string, string>, key: MadeKey = gateway): Promise<Reply> =>
  postForm(app, '/token', form, key.basic);
const exchange = (
  subject: string,
  more: Record<string, string> = {},
  key: MadeKey = gateway,
): Promise<Reply> =>
  token({ grant_type: EXCHANGE, subject_token: subject, subject_token_type: ACCESS, ...more }, key);
const claimsOf = ({ body }: Reply): JWTPayload => decodeJwt(body.access_token);

async function withClaims(): Promise<SignedIn> {
  const user = await app.register();
  const claims = { roles: ['admin'], tenant: 't1', secret: 'x' };
  await app.kernel.commit(operator, [setUserClaims(user.userId, claims, app.clock.now())]);
  const { body } = await app.login(user.username);
  return { ...user, access: body.access_token, refresh: body.refresh_token };
}

describe('client_credentials', () => {
  test('RFC 9068: a token in the name of the key, with its claims, and no session', async () => {
    const reply = await token({ grant_type: 'client_credentials', resource: BILLING });
    expect([reply.status, reply.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(reply.body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
      scope: 'read write',
    });
    const { jti, exp, iat, nbf, ...claims } = claimsOf(reply);
    expect(claims).toEqual({
      iss: 'https://auth.example.com',
      sub: gateway.id,
      aud: BILLING,
      client_id: gateway.id,
      scope: 'read write',
      roles: ['gateway'],
      tenant: 't9',
    });
    expect([typeof jti, exp, nbf]).toEqual(['string', Number(iat) + 900, iat]);
  });

  test('with fewer scopes when they are asked for, and the ttl of the audience', async () => {
    const reply = await token({
      grant_type: 'client_credentials',
      resource: CHAT,
      scope: 'send',
    });
    expect(reply.body).toMatchObject({ expires_in: 60, scope: 'send' });
    expect(claimsOf(reply)['scope']).toBe('send');
  });

  test('is dead at /introspect once its key is revoked', async () => {
    const brief = await makeKey(app, 'brief', { scopes: [], audiences: [CHAT] });
    const { body } = await token({ grant_type: 'client_credentials' }, brief);
    await revokeApiKey(app.kernel)(operator, brief.id);
    const reply = await postForm(app, '/introspect', { token: body.access_token }, gateway.basic);
    expect(reply.body).toEqual({ active: false });
  });

  test('never outlives its key', async () => {
    const brief = await makeKey(app, 'minute', { audiences: [BILLING], lifetimeMs: 60_000 });
    expect((await token({ grant_type: 'client_credentials' }, brief)).body.expires_in).toBe(60);
  });
});

describe('token exchange (RFC 8693)', () => {
  test('gives a narrower token of the same session, with the key as actor', async () => {
    const user = await withClaims();
    const before = decodeJwt(user.access);
    const reply = await exchange(user.access, { resource: BILLING, scope: 'read' });
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({
      access_token: expect.any(String),
      issued_token_type: ACCESS,
      token_type: 'Bearer',
      expires_in: 300,
      scope: 'read',
    });
    const after = claimsOf(reply);
    expect(after).toMatchObject({
      aud: BILLING,
      sub: user.userId,
      client_id: gateway.id,
      scope: 'read',
      act: { sub: gateway.id, name: 'gateway' },
      roles: ['admin'],
      tenant: 't1',
    });
    expect(after).not.toHaveProperty('secret');
    for (const name of ['sid', 'status', 'auth_time', 'amr', 'acr'])
      expect(after[name]).toEqual(before[name]);
    expect(after.jti).not.toBe(before.jti);
  });

  test('a sign-out kills it, and no further exchange is made of it', async () => {
    const user = await withClaims();
    const { body } = await exchange(user.access, { resource: BILLING });
    await app.call('POST', '/logout', { body: { refresh_token: user.refresh } });
    const asked = await postForm(app, '/introspect', { token: body.access_token }, gateway.basic);
    expect(asked.body).toEqual({ active: false });
    for (const subject of [user.access, body.access_token]) {
      const again = await exchange(subject, { resource: CHAT });
      expect([again.status, again.body.error]).toEqual([400, 'invalid_request']);
    }
  });

  test('at most two services act one behind the other', async () => {
    const user = await withClaims();
    const first = await exchange(user.access, { resource: BILLING });
    const second = await exchange(first.body.access_token, {}, ledger);
    expect(claimsOf(second)).toMatchObject({
      aud: LEDGER,
      act: { sub: ledger.id, name: 'ledger', act: { sub: gateway.id, name: 'gateway' } },
    });
    const third = await exchange(second.body.access_token, { resource: CHAT });
    expect([third.status, third.body.error]).toEqual([400, 'invalid_request']);
  });

  test('never outlives the key that it was made with', async () => {
    const user = await withClaims();
    const brief = await makeKey(app, 'exchange-minute', {
      scopes: ['exchange'],
      mayExchangeTo: [BILLING],
      lifetimeMs: 60_000,
    });
    expect((await exchange(user.access, {}, brief)).body.expires_in).toBe(60);
  });

  test('is dead at /introspect, and for a further exchange, once its key is revoked', async () => {
    const user = await withClaims();
    const lost = await makeKey(app, 'lost', { scopes: ['exchange'], mayExchangeTo: [BILLING] });
    const { body } = await exchange(user.access, {}, lost);
    const chained = await exchange(body.access_token, {}, ledger);
    const asked = async (token: string): Promise<unknown> =>
      (await postForm(app, '/introspect', { token }, gateway.basic)).body.active;
    const tokens = [body.access_token, chained.body.access_token, user.access];
    expect(await Promise.all(tokens.map(asked))).toEqual([true, true, true]);
    await revokeApiKey(app.kernel)(operator, lost.id);
    expect(await Promise.all(tokens.map(asked))).toEqual([false, false, true]);
    const again = await exchange(body.access_token, {}, ledger);
    expect([again.status, again.body.error]).toEqual([400, 'invalid_request']);
  });

  test('writes no row', async () => {
    const user = await withClaims();
    await exchange(user.access, { resource: BILLING });
    await app.kernel.apiKeys.settled();
    const mark = app.db.changeMark();
    const count = async () =>
      app.db.read({ sql: 'SELECT total_changes()', params: [], map: (r) => r, returns: true });
    const before = await count();
    expect((await exchange(user.access, { resource: CHAT })).status).toBe(200);
    expect([await count(), app.db.changeMark()]).toEqual([before, mark]);
  });
});

describe('what is refused', () => {
  test.each<[name: string, error: string, form: () => Promise<Record<string, string>>]>([
    ['no grant type', 'invalid_request', async () => ({ resource: BILLING })],
    ['another grant', 'unsupported_grant_type', async () => ({ grant_type: 'password' })],
    ['a grant of a prototype', 'unsupported_grant_type', async () => ({ grant_type: '__proto__' })],
    [
      'an audience that the key does not have',
      'invalid_target',
      async () => ({ grant_type: 'client_credentials', resource: LEDGER }),
    ],
    [
      'no resource where there are several',
      'invalid_target',
      async () => ({ grant_type: 'client_credentials' }),
    ],
    [
      'this service itself',
      'invalid_target',
      async () => ({ grant_type: 'client_credentials', resource: 'postern' }),
    ],
    [
      'a scope that the audience does not have',
      'invalid_scope',
      async () => ({ grant_type: 'client_credentials', resource: CHAT, scope: 'read write' }),
    ],
    [
      'scopes with two spaces',
      'invalid_scope',
      async () => ({ grant_type: 'client_credentials', resource: CHAT, scope: 'read  send' }),
    ],
    [
      'a secret in the body',
      'invalid_client',
      async () => ({ grant_type: 'client_credentials', resource: CHAT, client_secret: 'x' }),
    ],
    [
      'no subject token',
      'invalid_request',
      async () => ({ grant_type: EXCHANGE, subject_token_type: ACCESS, resource: CHAT }),
    ],
    [
      'a subject token of another type',
      'invalid_request',
      async () => ({
        grant_type: EXCHANGE,
        subject_token: (await app.register()).access,
        subject_token_type: 'urn:ietf:params:oauth:token-type:refresh_token',
        resource: CHAT,
      }),
    ],
  ])('%s: %s', async (_, error, form) => {
    const { status, body } = await token(await form());
    expect([status, body.error]).toEqual([error === 'invalid_client' ? 401 : 400, error]);
  });

  test.each<[name: string, error: string, more: Record<string, string>]>([
    ['a target that the key may not have', 'invalid_target', { resource: LEDGER }],
    ['this service itself', 'invalid_target', { resource: 'postern' }],
    ['no target', 'invalid_target', {}],
    ['a scope', 'invalid_scope', { resource: CHAT, scope: 'write' }],
    ['an actor token', 'invalid_request', { resource: CHAT, actor_token: 'x' }],
    ['the audience under another name', 'invalid_request', { resource: CHAT, audience: CHAT }],
    [
      'another kind of token',
      'invalid_request',
      { resource: CHAT, requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
    ],
  ])('an exchange for %s: %s', async (_, error, more) => {
    const { status, body } = await exchange((await app.register()).access, more);
    expect([status, body.error]).toEqual([400, error]);
  });

  test('an exchange of what is no living access token of a user', async () => {
    const user = await app.register();
    const service = await token({ grant_type: 'client_credentials', resource: CHAT });
    for (const subject of ['x', user.refresh, user.deviceToken, service.body.access_token]) {
      const { status, body } = await exchange(subject, { resource: CHAT });
      expect([status, body.error]).toEqual([400, 'invalid_request']);
    }
  });

  test('a key without the scope exchange, or without targets: unauthorized_client', async () => {
    const { access } = await app.register();
    const reader = await makeKey(app, 'reader', { mayExchangeTo: [CHAT] });
    const nowhere = await makeKey(app, 'nowhere', { scopes: ['exchange'] });
    for (const key of [reader, nowhere]) {
      const { status, body } = await exchange(access, { resource: CHAT }, key);
      expect([status, body.error]).toEqual([400, 'unauthorized_client']);
      const own = await token({ grant_type: 'client_credentials' }, key);
      expect(own.body.error).toBe('unauthorized_client');
    }
  });
});

describe('nothing widens', () => {
  const scopesOf = (claims: JWTPayload): readonly string[] =>
    typeof claims['scope'] === 'string' ? claims['scope'].split(' ') : [];
  const depthOf = (actor: unknown): number =>
    typeof actor === 'object' && actor !== null ? 1 + depthOf('act' in actor && actor.act) : 0;
  const CARRIED = ['roles', 'tenant', 'secret', 'email', 'name'];

  /** What may never grow from one token to the one that was made of it. */
  function expectNarrower(before: JWTPayload, after: JWTPayload): void {
    expect(after.sub).toBe(before.sub);
    for (const name of ['sid', 'status', 'amr', 'acr', 'auth_time'])
      expect(after[name]).toEqual(before[name]);
    expect(Number(after.exp)).toBeLessThanOrEqual(Number(before.exp));
    expect(Number(after.exp) - Number(after.iat)).toBeLessThanOrEqual(300);
    expect(after.aud).not.toBe('postern');
    for (const name of CARRIED)
      if (after[name] !== undefined) expect(after[name]).toEqual(before[name]);
    if (before.aud !== 'postern')
      expect(scopesOf(before)).toEqual(expect.arrayContaining([...scopesOf(after)]));
    expect(depthOf(after['act'])).toBe(depthOf(before['act']) + 1);
    expect(depthOf(after['act'])).toBeLessThanOrEqual(2);
  }

  const step = fc.record({
    key: fc.constantFrom('gateway' as const, 'ledger' as const),
    form: fc.record(
      {
        resource: fc.constantFrom(BILLING, CHAT, LEDGER, 'postern'),
        scope: fc.constantFrom('read', 'write', 'send', 'read write', 'read send'),
      },
      { requiredKeys: [] },
    ),
    waitMs: fc.constantFrom(0, 30_000, 100_000),
    refreshTo: fc.constantFrom(BILLING, CHAT, undefined, 'none'),
  });

  test('over any chain of exchanges and refreshes', async () => {
    const user = await withClaims();
    const keys = {
      gateway: { key: gateway, targets: [BILLING, CHAT] },
      ledger: { key: ledger, targets: [LEDGER] },
    };
    const renewed = async (refresh: string, resource: string | undefined) => {
      const { status, body } = await app.call('POST', '/refresh', {
        body: { refresh_token: refresh, resource },
      });
      expect(status).toBe(200);
      return body;
    };
    let exchanges = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 5 }), async (steps) => {
        let { body: held } = await app.login(user.username);
        for (const { key, form, waitMs, refreshTo } of steps) {
          app.clock.advance(waitMs);
          if (refreshTo !== 'none') held = await renewed(held.refresh_token, refreshTo);
          const made = await exchange(held.access_token, form, keys[key].key);
          if (made.status !== 200) continue;
          exchanges++;
          const after = claimsOf(made);
          expectNarrower(decodeJwt(held.access_token), after);
          expect(keys[key].targets).toContain(after.aud);
          held = { ...held, access_token: made.body.access_token };
        }
      }),
      { numRuns: 60, seed: 11 },
    );
    expect(exchanges).toBeGreaterThan(20);
  });
});
