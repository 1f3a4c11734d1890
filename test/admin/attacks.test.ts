/** Attacks on administration over HTTP: A01 to A03, mass assignment, keys of other scopes. */
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { SignedIn, TestApp } from '../support/app.ts';
import { basicOf, makeKey } from '../support/api-key.ts';
import { createAdminRig, linesOf } from './rig.ts';
import type { AdminRig } from './rig.ts';

let rig: AdminRig;
let ada: SignedIn;
beforeAll(async () => {
  rig = await createAdminRig();
  ada = await rig.app.register('ada');
});
afterAll(() => rig.stop());

/** Every route of administration, of one user. */
const routes = (): { method: string; path: string }[] =>
  rig.app.routes
    .filter(({ path }) => path.startsWith('/admin/'))
    .map(({ method, path }) => ({
      method: method.toUpperCase(),
      path: path.replace('{id}', ada.userId).replace(/\{(?:session|email)_id\}/, ada.sessionId),
    }));

const call = (path: string, headers: Record<string, string>, method = 'GET') =>
  rig.app.call(method, path, { headers });

/** What an answer is but for the request's own id. */
const shape = ({ status, body }: { status: number; body: Record<string, unknown> }) => {
  const { request_id: _, ...rest } = body;
  return { status, ...rest };
};

describe('A01: who may call', () => {
  test('without a good key every route answers alike, and changes nothing', async () => {
    const other = await createAdminRig();
    const { secret, id } = rig.key;
    const wrong: readonly (readonly [what: string, headers: Record<string, string>])[] = [
      ['nothing', {}],
      ["a user's token", { authorization: `Bearer ${ada.access}` }],
      ["a user's token as a key", { 'postern-key': ada.access }],
      ["another service's key", { 'postern-key': other.key.text }],
      ['another secret', { 'postern-key': `${id}:psk_${randomBytes(32).toString('base64url')}` }],
      ['a short secret', { 'postern-key': `${id}:${secret.slice(0, -1)}` }],
      ['a long secret', { 'postern-key': `${id}:${secret}A` }],
      ['a secret of other bytes', basicOf(id, `${secret.slice(0, -1)}é`)],
      ['a key in both places', { 'postern-key': rig.key.text, ...basicOf(id, secret) }],
      ['a key as Bearer', { authorization: `Bearer ${rig.key.text}` }],
    ];
    const seen = new Set<string>();
    for (const [what, headers] of wrong) {
      // Within the number of wrong keys that are answered one by one.
      const answer = shape(await call(`/admin/users/${ada.userId}`, headers));
      expect([what, answer.status]).toEqual([what, 401]);
      seen.add(JSON.stringify(answer));
    }
    expect(seen.size).toBe(1);
    await other.stop();
    rig.app.clock.advance(60_000);
  });

  test('a key in the query is none', async () => {
    const fresh = await createAdminRig();
    const key = encodeURIComponent(fresh.key.text);
    const reply = await fresh.app.call('GET', `/admin/users?postern-key=${key}`);
    expect(reply.status).toBe(401);
    const named = await fresh.admin('GET', `/admin/users?api_key=${key}`);
    expect(named.body.errors).toEqual([
      expect.objectContaining({ pointer: '/api_key', code: 'unknown_member' }),
    ]);
    expect(JSON.stringify(fresh.app.log)).not.toContain(fresh.key.secret);
    await fresh.stop();
  });

  test('20 wrong keys of one network are answered and logged, then 429, and a right key is heard all the same', async () => {
    const fresh = await createAdminRig();
    const wrong = { 'postern-key': `${fresh.key.id}:psk_${'A'.repeat(43)}` };
    const statuses: number[] = [];
    for (let n = 0; n < 25; n++)
      statuses.push((await fresh.app.call('GET', '/admin/users', { headers: wrong })).status);
    expect(statuses).toEqual([...Array(20).fill(401), ...Array(5).fill(429)]);
    expect(linesOf(fresh.app, 'api_key.refused')).toHaveLength(20);
    expect((await fresh.admin('GET', '/admin/users')).status).toBe(200);
    await fresh.stop();
  });

  test.each(['introspect', 'exchange', 'caller', 'events'] as const)(
    'a key of the scope %s: 403 on every route alike, whoever is asked for, and an event (ASVS 16.3.2)',
    async (scope) => {
      const key = await makeKey(rig.app, `only-${scope}`, { scopes: [scope] });
      const headers = { 'postern-key': key.text };
      const nobody = '01a1fe1f-4f57-71f1-8260-39b2a9e7b97e';
      const answers = new Set<string>();
      const all = routes();
      expect(all.length).toBeGreaterThan(12);
      for (const { method, path } of all)
        for (const to of [path, path.replace(ada.userId, nobody)])
          answers.add(JSON.stringify(shape(await call(to, headers, method))));
      const exists = await call('/admin/users?username=ada', headers);
      const missing = await call('/admin/users?username=nobody', headers);
      answers.add(JSON.stringify(shape(exists))).add(JSON.stringify(shape(missing)));
      expect([...answers].map((text): unknown => JSON.parse(text))).toEqual([
        expect.objectContaining({ status: 403, code: 'insufficient_scope' }),
      ]);
      const lines = linesOf(rig.app, 'api_key.scope_missing').filter(
        (line) => line['api_key.id'] === key.id,
      );
      expect(lines).toHaveLength(2 * all.length + 2);
      expect(lines[0]).toMatchObject({ level: 'warn', reason: 'admin' });
      expect((await rig.app.call('GET', '/verify', { token: ada.access })).status).toBe(204);
    },
  );

  test('a revoked key and one that expired are refused from the next request on', async () => {
    const short = await makeKey(rig.app, 'short', { scopes: ['admin'], lifetimeMs: 60_000 });
    const headers = { 'postern-key': short.text };
    expect((await call('/admin/users', headers)).status).toBe(200);
    rig.app.clock.advance(60_001);
    expect((await call('/admin/users', headers)).status).toBe(401);
  });

  test('where administration is off there is nothing, for a key of the scope too', async () => {
    const off = await createTestApp();
    const key = await makeKey(off, 'console', { scopes: ['admin'] });
    for (const path of ['/admin', '/admin/users', '/admin/openapi.json']) {
      const reply = await off.call('GET', path, { headers: { 'postern-key': key.text } });
      expect([path, reply.status]).toEqual([path, 404]);
    }
    await off.stop();
  });

  test('the public document says nothing of it', async () => {
    const { body } = await rig.app.call('GET', '/openapi.json');
    expect(JSON.stringify(body)).not.toContain('/admin');
  });
});

/** A request whose target goes over the wire as it stands. */
function rawStatus(app: TestApp, path: string, headers: Record<string, string>): Promise<number> {
  const { hostname, port } = new URL(app.url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on('error', reject).end();
  });
}

describe('A02: other spellings of a path', () => {
  test.each([
    '//admin/users',
    '/admin//users',
    '/Admin/users',
    '/ADMIN/USERS',
    '/admin/users/',
    '/admin/users;x=1',
    '/admin/./users',
    '/verify/../admin/users',
    '/%2e/admin/users',
    '/admin%2fusers',
    '/admin/users%00',
    '/admin\\users',
  ])('%s reaches nothing without a key', async (path) => {
    const fresh = await createAdminRig();
    expect([401, 400, 404]).toContain(await rawStatus(fresh.app, path, {}));
    const status = await rawStatus(fresh.app, path, { 'postern-key': fresh.key.text });
    expect([400, 404]).toContain(status);
    await fresh.stop();
  });

  test('an encoded letter is the same route behind the same guard', async () => {
    const path = '/%61dmin/users';
    expect(await rawStatus(rig.app, path, {})).toBe(401);
    expect(await rawStatus(rig.app, path, { 'postern-key': rig.key.text })).toBe(200);
  });
});

describe('A03: ids of others', () => {
  test("another user's session under this user is 404, and lives on", async () => {
    const bob = await rig.app.register('bob');
    const path = `/admin/users/${ada.userId}/sessions/${bob.sessionId}`;
    expect((await rig.admin('DELETE', path)).status).toBe(404);
    expect((await rig.app.call('GET', '/verify', { token: bob.access })).status).toBe(204);
  });

  test.each(['1', '0', '../me', '%2e%2e', "x' OR 1=1--", '*', 'ada', '__proto__', 'null'])(
    'an id %s finds nobody',
    async (id) => {
      const reply = await rig.admin('GET', `/admin/users/${encodeURIComponent(id)}`);
      expect(reply.status).toBe(404);
    },
  );
});

describe('mass assignment (ASVS 15.3.3)', () => {
  test.each([
    ['password', 'correct horse battery staple'],
    ['password_hash', '$argon2id$v=19$m=1,t=1,p=1$c2FsdHNhbHQ$AAAA'],
    ['id', '01a1fe1f-4f57-71f1-8260-39b2a9e7b97e'],
    ['epoch', 99],
    ['created_at', '2020-01-01T00:00:00.000Z'],
    ['mfa_enabled', true],
    ['email_canonical', 'x@example.com'],
    ['constructor', {}],
  ])('%s is refused by name, at create and at change', async (member, value) => {
    for (const [method, path, more] of [
      ['POST', '/admin/users', { username: 'mass' }],
      ['PATCH', `/admin/users/${ada.userId}`, { display_name: 'Changed' }],
    ] as const) {
      const raw = JSON.stringify({ ...more, X: value }).replace('"X"', JSON.stringify(member));
      const headers = { 'postern-key': rig.key.text };
      const reply = await rig.app.call(method, path, { raw, headers });
      expect([reply.status, reply.body.code]).toEqual([422, 'invalid_request']);
      expect(reply.body.errors).toContainEqual(
        expect.objectContaining({ pointer: `/${member}`, code: 'unknown_member' }),
      );
    }
    const { body } = await rig.admin('GET', `/admin/users/${ada.userId}`);
    expect(body.display_name).toBeNull();
  });

  test('__proto__ is refused before any schema', async () => {
    const raw = '{"display_name":"Changed","__proto__":{"disabled":true}}';
    const headers = { 'postern-key': rig.key.text };
    const reply = await rig.app.call('PATCH', `/admin/users/${ada.userId}`, { raw, headers });
    expect([reply.status, reply.body.code]).toEqual([400, 'malformed_request']);
  });

  test('an address can not be verified by the side, and types are strict', async () => {
    const create = { email: 'side@example.com', email_verified: true };
    expect((await rig.admin('POST', '/admin/users', create)).status).toBe(422);
    for (const body of [
      { disabled: 'true' },
      { disabled: 1 },
      { claims: ['admin'] },
      { external_id: '' },
      { external_id: 7 },
      { external_id: 'a\u0000b' },
      { external_id: 'x'.repeat(256) },
      { claims: { roles: 'admin' } },
    ])
      expect([body, (await rig.admin('PATCH', `/admin/users/${ada.userId}`, body)).status]).toEqual(
        [body, 422],
      );
  });

  test("a user can not set what is an operator's", async () => {
    for (const body of [
      { claims: { roles: ['admin'] } },
      { external_id: 'x' },
      { disabled: false },
    ])
      expect((await rig.app.call('PATCH', '/me', { token: ada.access, body })).status).toBe(422);
  });
});

describe('queries', () => {
  test.each([
    ['?limit=0', '/limit'],
    ['?limit=201', '/limit'],
    ['?limit=-1', '/limit'],
    ['?limit=1e2', '/limit'],
    ['?disabled=yes', '/disabled'],
    ['?order=id', '/order'],
    ['?cursor=AAAA', '/cursor'],
    ['?search=a&username=b', '/search'],
  ])('%s is refused at %s', async (query, pointer) => {
    const reply = await rig.admin('GET', `/admin/users${query}`);
    expect([reply.status, reply.body.errors?.[0]?.pointer]).toEqual([422, pointer]);
  });

  test.each(['?search=a&search=b', '?search=%ff', '?search=%', '?search=a%00'])(
    '%s is malformed (ASVS 15.3.7)',
    async (query) => {
      const reply = await rig.admin('GET', `/admin/users${query}`);
      expect([reply.status, reply.body.code]).toEqual([400, 'malformed_request']);
    },
  );

  test('whatever a query, an id or a body holds, no answer is a 5xx and nobody is changed', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.constantFrom('\u{10ffff}', 'a\u{10ffff}', 'İ', 'ß', 'ﬁ', "' OR 1=1--", '__proto__'),
      fc.string({ maxLength: 40 }).map((part) => Buffer.from(`id:${part}`).toString('base64url')),
      fc.string({ maxLength: 9 }).map((part) => Buffer.from(`email:${part}`).toString('base64url')),
    );
    const encode = (value: string): string => encodeURIComponent(value.toWellFormed());
    const name = fc.constantFrom('search', 'username', 'email', 'external_id', 'cursor', 'limit');
    const member = fc.constantFrom('email', 'claims', 'external_id', 'username', 'user_metadata');
    const value = fc.oneof(text, fc.jsonValue(), fc.constant({ a: 2 ** 60 }));
    const before = (await rig.admin('GET', `/admin/users/${ada.userId}`)).body;
    await fc.assert(
      fc.asyncProperty(fc.tuple(name, text, member, value), async ([query, odd, key, given]) => {
        const nobody = '01a1fe1f-4f57-71f1-8260-39b2a9e7b97e';
        const replies = [
          await rig.admin('GET', `/admin/users?${query}=${encode(odd)}`),
          await rig.admin('GET', `/admin/users?search=a&${query}=${encode(odd)}`),
          await rig.admin('GET', `/admin/users/${encode(odd) || 'x'}`),
          await rig.admin('PATCH', `/admin/users/${nobody}`, { [key]: given }),
        ];
        return replies.every(({ status }) => status < 500);
      }),
      { numRuns: 300 },
    );
    const { updated_at: at } = (await rig.admin('GET', `/admin/users/${ada.userId}`)).body;
    expect(at).toBe(before.updated_at);
  });

  test("a search's wildcards are letters like others", async () => {
    for (const text of ['%25', '_', '*', 'a%25'])
      expect((await rig.admin('GET', `/admin/users?search=${text}`)).body.users).toEqual([]);
  });
});
