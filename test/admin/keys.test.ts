/** API keys, signing keys and the numbers of the service over HTTP. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { revokeApiKey } from '../../src/features/api-key/revoke-api-key.ts';
import { createTestApp, operator } from '../support/app.ts';
import { makeKey, postForm } from '../support/api-key.ts';
import { createAdminRig, linesOf } from './rig.ts';
import type { AdminRig } from './rig.ts';

let rig: AdminRig;
beforeAll(async () => {
  rig = await createAdminRig();
});
afterAll(() => rig.stop());

const introspects = async (key: string): Promise<number> =>
  (await postForm(rig.app, '/introspect', { token: 'x' }, { 'postern-key': key })).status;

describe('API keys', () => {
  test('are made, used, listed without their secret, and revoked', async () => {
    const made = await rig.admin('POST', '/admin/keys', {
      name: 'billing',
      scopes: ['introspect'],
      expires_in: 3600,
      claims: { roles: ['reader'] },
    });
    expect([made.status, made.body]).toEqual([
      201,
      {
        id: expect.any(String),
        name: 'billing',
        state: 'active',
        scopes: ['introspect'],
        audiences: [],
        may_exchange_to: [],
        claims: { roles: ['reader'] },
        created_at: '2031-05-20T12:00:00.000Z',
        expires_at: '2031-05-20T13:00:00.000Z',
        last_used_at: null,
        revoked_at: null,
        key: expect.stringMatching(/^[0-9a-f-]{36}:psk_[A-Za-z0-9_-]{43}$/),
      },
    ]);
    expect(await introspects(made.body.key)).toBe(200);

    const listed = await rig.admin('GET', '/admin/keys');
    expect(listed.body.keys.map(({ name }: { name: string }) => name)).toEqual([
      'console',
      'billing',
    ]);
    expect(JSON.stringify(listed.body)).not.toContain('psk_');

    expect((await rig.admin('DELETE', `/admin/keys/${made.body.id}`)).status).toBe(204);
    expect(await introspects(made.body.key)).toBe(401);
    expect((await rig.admin('DELETE', `/admin/keys/${made.body.id}`)).status).toBe(404);
    for (const event of ['api_key.created', 'api_key.revoked'])
      expect(linesOf(rig.app, event).at(-1)).toMatchObject({
        'api_key.id': rig.key.id,
        'api_key.subject': made.body.id,
      });
    expect(JSON.stringify(rig.app.log)).not.toContain(made.body.key.split(':')[1]);
  });

  test('A14: over HTTP one always expires, in 90 days unless it says otherwise', async () => {
    const { body } = await rig.admin('POST', '/admin/keys', { name: 'plain', scopes: ['events'] });
    expect(body.expires_at).toBe('2031-08-18T12:00:00.000Z');
    for (const expires_in of [null, 59, 401 * 86_400])
      expect(
        (await rig.admin('POST', '/admin/keys', { name: 'never', scopes: ['events'], expires_in }))
          .status,
      ).toBe(422);
  });

  test('are revoked by id alone; no name looks like an id', async () => {
    expect((await rig.admin('DELETE', '/admin/keys/console')).status).toBe(404);
    const name = rig.key.id;
    for (const one of [name, name.toUpperCase()])
      expect(
        (await rig.admin('POST', '/admin/keys', { name: one, scopes: ['events'] })).body.errors,
      ).toMatchObject([{ pointer: '/name', code: 'invalid' }]);
  });

  test('what is wrong is named', async () => {
    const faults = async (body: object) =>
      (await rig.admin('POST', '/admin/keys', body)).body.errors?.map(
        ({ pointer, code }: { pointer: string; code: string }) => [pointer, code],
      );
    expect(await faults({ name: 'a' })).toEqual([['/scopes', 'required']]);
    expect(await faults({ name: 'a', scopes: ['root'] })).toMatchObject([['/scopes/0', 'invalid']]);
    expect(await faults({ name: 'a', scopes: ['events'], claims: { sub: 'x' } })).toEqual([
      ['/claims/sub', 'registered_claim'],
    ]);
    const twice = { name: 'twice', scopes: ['events'] };
    await rig.admin('POST', '/admin/keys', twice);
    const again = await rig.admin('POST', '/admin/keys', twice);
    expect([again.status, again.body.code]).toEqual([409, 'conflict']);
  });

  test('A01: one without the scope admin makes, lists, revokes and rotates nothing', async () => {
    const weak = await makeKey(rig.app, 'weak', { scopes: ['introspect', 'events'] });
    const headers = { 'postern-key': weak.text };
    for (const [method, path, body] of [
      ['GET', '/admin/keys', undefined],
      ['POST', '/admin/keys', { name: 'mine', scopes: ['admin'] }],
      ['DELETE', `/admin/keys/${rig.key.id}`, undefined],
      ['GET', '/admin/signing-keys', undefined],
      ['POST', '/admin/signing-keys/rotate', { at_once: true, withdraw: true }],
      ['GET', '/admin/stats', undefined],
    ] as const) {
      const reply = await rig.app.call(method, path, {
        headers,
        ...(body === undefined ? {} : { body }),
      });
      expect([path, reply.status, reply.body.code]).toEqual([path, 403, 'insufficient_scope']);
    }
    await revokeApiKey(rig.app.kernel)(operator, 'weak');
  });
});

describe('signing keys', () => {
  test('a new one is published now and signs when caches know it', async () => {
    const before = rig.app.kernel.signingKeys.signingKey().kid;
    const made = await rig.admin('POST', '/admin/signing-keys/rotate', {});
    expect([made.status, made.body]).toEqual([
      201,
      { kid: expect.any(String), activates_at: '2031-05-20T12:10:00.000Z' },
    ]);
    const { body: jwks } = await rig.app.call('GET', '/.well-known/jwks.json');
    const kids = jwks.keys.map(({ kid }: { kid: string }) => kid);
    expect(kids).toEqual([before, made.body.kid]);
    expect(rig.app.kernel.signingKeys.signingKey().kid).toBe(before);

    const again = await rig.admin('POST', '/admin/signing-keys/rotate', {});
    expect([again.status, again.body.detail]).toEqual([409, expect.stringContaining('waits')]);
    expect(linesOf(rig.app, 'signing_key.rotated')).toHaveLength(1);
  });

  test('withdrawn ones stop verifying at once', async () => {
    const user = await rig.app.register('rotated');
    const verify = () => rig.app.call('GET', '/verify', { token: user.access });
    expect((await verify()).status).toBe(204);
    const late = await rig.admin('POST', '/admin/signing-keys/rotate', { withdraw: true });
    expect([late.status, late.body.detail]).toEqual([409, expect.stringContaining('at_once')]);
    const made = await rig.admin('POST', '/admin/signing-keys/rotate', {
      at_once: true,
      withdraw: true,
    });
    expect(made.status).toBe(201);
    expect((await verify()).status).toBe(401);
    const { body } = await rig.admin('GET', '/admin/signing-keys');
    const access = body.keys.filter(({ purpose }: { purpose: string }) => purpose === 'access');
    expect(access.map(({ state }: { state: string }) => state).sort()).toEqual([
      'active',
      'withdrawn',
      'withdrawn',
    ]);
    expect(JSON.stringify(body)).not.toMatch(/"(?:d|k|private\w*|sealed)":/);
  });

  test('A14: a program that repeats itself fills neither the JWKS nor the table', async () => {
    const statuses: number[] = [];
    for (let at = 0; at < 25; at++)
      statuses.push(
        (
          await rig.admin('POST', '/admin/signing-keys/rotate', {
            purpose: 'internal',
            at_once: true,
          })
        ).status,
      );
    expect(statuses.filter((status) => status === 201).length).toBe(19);
    expect(statuses.at(-1)).toBe(409);
  });

  test('under HS256 there is none to rotate', async () => {
    const own = await createTestApp({
      config: '[admin]\nenabled = true\n[tokens]\nalgorithm = "HS256"\n',
      env: { POSTERN_TOKENS_SHARED_SECRET: randomBytes(32).toString('base64') },
    });
    const { text } = await makeKey(own, 'console', { scopes: ['admin'] });
    const reply = await own.call('POST', '/admin/signing-keys/rotate', {
      headers: { 'postern-key': text },
      body: {},
    });
    expect([reply.status, reply.body.detail]).toEqual([
      409,
      expect.stringContaining('tokens.shared_secret'),
    ]);
    await own.stop();
  });
});

test('GET /admin/stats counts, once a minute', async () => {
  const own = await createAdminRig();
  await own.app.register('one');
  const first = await own.admin('GET', '/admin/stats');
  expect([first.status, first.body]).toEqual([
    200,
    {
      at: '2031-05-20T12:00:00.000Z',
      users: {
        total: 1,
        disabled: 0,
        anonymous: 0,
        new_in_day: 1,
        new_in_week: 1,
        new_in_month: 1,
      },
      sessions: { active: 1 },
      emails: { waiting: 0, dead: 0, oldest_age_seconds: 0 },
      api_keys: { active: 1 },
    },
  ]);
  await own.admin('POST', '/admin/users', { username: 'two' });
  expect((await own.admin('GET', '/admin/stats')).body).toEqual(first.body);
  own.app.clock.advance(2 * 86_400_000);
  await own.admin('POST', '/admin/users', { username: 'three' });
  expect((await own.admin('GET', '/admin/stats')).body).toMatchObject({
    users: { total: 3, new_in_day: 1, new_in_week: 3 },
  });
  await own.stop();
});
