/** API keys: how they come, what is refused, and what is kept of them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listApiKeys } from '../../src/core/api-key/api-key.ts';
import { Refusal } from '../../src/refusal.ts';
import { revokeApiKey } from '../../src/features/api-key/revoke-api-key.ts';
import { createTestApp, operator, tidy } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';
import { basicOf, makeKey, postForm } from '../support/api-key.ts';
import type { MadeKey } from '../support/api-key.ts';

let app: TestApp;
let key: MadeKey;
beforeAll(async () => {
  app = await createTestApp();
  key = await makeKey(app, 'billing');
});
afterAll(() => app.stop());

const ask = (headers: Record<string, string>, own = app): Promise<Reply> =>
  postForm(own, '/introspect', { token: 'x.y.z' }, headers);

const listed = async (id: string, own = app) =>
  (await listApiKeys(own.db)).find((one) => one.id === id);

describe('a good key', () => {
  test('comes as HTTP Basic or as Postern-Key', async () => {
    for (const headers of [key.basic, { 'postern-key': key.text }]) {
      const reply = await ask(headers);
      expect([reply.status, reply.body]).toEqual([200, { active: false }]);
    }
  });

  test('RFC 6749 §2.3.1: id and secret are form-urlencoded', async () => {
    const encoded = [...key.secret]
      .map((one) => `%${one.charCodeAt(0).toString(16).padStart(2, '0')}`)
      .join('');
    expect((await ask(basicOf(key.id, encoded))).status).toBe(200);
    expect((await ask(basicOf(key.id.replaceAll('-', '%2D'), key.secret))).status).toBe(200);
  });

  test('is logged by its id, never by its secret', async () => {
    await ask(key.basic);
    const line = app.log.findLast(({ event }) => event === 'http.request');
    expect(line?.['api_key.id']).toBe(key.id);
    expect(JSON.stringify(app.log)).not.toContain(key.secret);
  });

  test('D4: has 256 random bits, and is stored as a digest', async () => {
    expect(key.secret).toMatch(/^psk_[A-Za-z0-9_-]{43}$/);
    const rows = await app.db.read({
      sql: 'SELECT * FROM api_key',
      params: [],
      map: (all) => all,
      returns: true,
    });
    expect(JSON.stringify(rows)).not.toContain(key.secret.slice(4));
  });

  test('has its last use recorded, at most once a minute', async () => {
    const own = await createTestApp();
    const used = await makeKey(own, 'used');
    const usedAt = async () => {
      await own.kernel.apiKeys.settled();
      return (await listed(used.id, own))?.lastUsedAt;
    };
    expect(await usedAt()).toBeNull();
    const first = own.clock.now();
    await ask(used.basic, own);
    expect(await usedAt()).toBe(first);
    own.clock.advance(59_000);
    await ask(used.basic, own);
    expect(await usedAt()).toBe(first);
    await own.stop();
  });
});

describe('what is refused, all alike', () => {
  const wrong = (): readonly (readonly [name: string, headers: Record<string, string>])[] => [
    ['nothing', {}],
    ['another secret', basicOf(key.id, `psk_${'A'.repeat(43)}`)],
    ['an unknown id', basicOf('01a1fe1f-4f57-71f1-8260-39b2a9e7b97e', key.secret)],
    ['the name for the id', basicOf('billing', key.secret)],
    ['a part of the secret', basicOf(key.id, key.secret.slice(0, -1))],
    ['no colon', { authorization: `Basic ${Buffer.from(key.id).toString('base64')}` }],
    ['base64 of another alphabet', { authorization: `Basic ${key.text}` }],
    ['a stray percent sign', basicOf(key.id, `${key.secret}%`)],
    ['the secret as a bearer token', { authorization: `Bearer ${key.secret}` }],
    ['both ways at once', { ...key.basic, 'postern-key': key.text }],
    ['an empty header', { 'postern-key': '' }],
    ['a header without end', { 'postern-key': `${key.id}:${'a'.repeat(5_000)}` }],
  ];

  test('L03: 401 with the same words and a challenge for Basic', async () => {
    const own = await createTestApp();
    const answers = new Set<string>();
    for (const [name, headers] of wrong()) {
      const reply = await ask(headers, own);
      expect([name, reply.status]).toEqual([name, 401]);
      expect(reply.headers.get('www-authenticate')).toBe('Basic realm="postern", charset="UTF-8"');
      const { request_id: _, ...rest } = reply.body;
      answers.add(JSON.stringify(rest));
    }
    expect([...answers].map((text) => JSON.parse(text).error)).toEqual(['invalid_client']);
    await own.stop();
  });

  test('two lines of one header', async () => {
    const reply = await app.call('POST', '/introspect', {
      raw: 'token=x',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'postern-key': `${key.text}, ${key.text}`,
      },
    });
    expect(reply.status).toBe(401);
  });

  test('an expired key, and a revoked one from its next request on', async () => {
    const own = await createTestApp();
    const brief = await makeKey(own, 'brief', { lifetimeMs: 60_000 });
    const other = await makeKey(own, 'other', { lifetimeMs: null });
    expect((await ask(brief.basic, own)).status).toBe(200);
    own.clock.advance(60_000);
    expect((await ask(brief.basic, own)).status).toBe(401);
    expect((await ask(other.basic, own)).status).toBe(200);
    await revokeApiKey(own.kernel)(operator, 'other');
    expect((await ask(other.basic, own)).status).toBe(401);
    await own.stop();
  });

  test('a key without the scope: 403, and only after the right secret', async () => {
    const narrow = await makeKey(app, 'narrow', { scopes: ['events'] });
    const reply = await ask(narrow.basic);
    expect([reply.status, reply.body.error]).toEqual([403, 'insufficient_scope']);
    expect((await ask(basicOf(narrow.id, `psk_${'A'.repeat(43)}`))).status).toBe(401);
  });

  test('L02: after many wrong keys 429 and no more log lines; a right key is heard all the same', async () => {
    const own = await createTestApp();
    const right = await makeKey(own, 'right');
    const statuses: number[] = [];
    for (let i = 0; i < 24; i++) statuses.push((await ask({ 'postern-key': 'a:b' }, own)).status);
    expect(statuses.filter((status) => status === 401).length).toBe(20);
    expect(statuses.filter((status) => status === 429).length).toBe(4);
    const reply = await ask({ 'postern-key': 'a:b' }, own);
    expect(reply.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    expect(reply.body.error).toBe('temporarily_unavailable');
    expect(own.log.filter(({ event }) => event === 'api_key.refused').length).toBe(20);
    expect((await ask(right.basic, own)).status).toBe(200);
    await own.stop();
  });
});

describe('A08: what wrong keys cost', () => {
  /** How often statements about API keys are read. */
  const counting = (own: TestApp) => {
    const { read } = own.db;
    let reads = 0;
    own.db.read = (statement) => {
      if (statement.sql.includes('"api_key"')) reads++;
      return read(statement);
    };
    return () => reads;
  };
  const madeUp = (n: number): Record<string, string> => ({
    'postern-key': `01a1fe1f-4f57-71f1-8260-${String(n).padStart(12, '0')}:psk_${'A'.repeat(43)}`,
  });

  test.each(['/introspect', '/me'])('made-up ones at %s read nothing again', async (path) => {
    const own = await createTestApp();
    const good = await makeKey(own, 'good');
    const reads = counting(own);
    const call = (headers: Record<string, string>): Promise<Reply> =>
      path === '/me' ? own.call('GET', path, { headers }) : ask(headers, own);
    const statuses = new Set<number>();
    for (let n = 0; n < 60; n++) statuses.add((await call(madeUp(n))).status);
    await Promise.all(Array.from({ length: 60 }, (_, n) => call(madeUp(100 + n))));
    // The real id, with another secret.
    for (let n = 0; n < 20; n++) await call({ 'postern-key': `${good.id}:psk_${'A'.repeat(43)}` });
    expect([...statuses].sort()).toEqual([401, 429]);
    expect(reads()).toBeLessThanOrEqual(2);
    expect((await ask(good.basic, own)).status).toBe(200);
    await own.stop();
  });

  test('a flood from all networks of an IPv6 /48 does not fill the log', async () => {
    const own = await createTestApp();
    const refused = new Set<string>();
    for (let n = 0; n < 600; n++) {
      const requester = {
        ip: `2001:db8:1:${n.toString(16)}::1`,
        userAgent: null,
        locale: null,
        requestId: `r${n}`,
      };
      await own.kernel.apiKeys
        .authenticate(requester, null, 'any')
        .catch((error: unknown) => error instanceof Refusal && refused.add(error.code));
    }
    expect([...refused]).toEqual(['invalid_api_key', 'too_many_attempts']);
    expect(own.log.filter(({ event }) => event === 'api_key.refused').length).toBe(320);
    await own.stop();
  });

  test('a key that is made meanwhile, here or by another process, is heard at once', async () => {
    const own = await createTestApp();
    expect((await ask(madeUp(1), own)).status).toBe(401);
    const here = await makeKey(own, 'here');
    expect((await ask(here.basic, own)).status).toBe(200);
    const peer = await createTestApp({ directory: own.directory, clock: own.clock });
    const there = await makeKey(peer, 'there');
    expect((await ask(there.basic, own)).status).toBe(200);
    await peer.stop();
    await own.stop();
  });
});

test('requests of one key are limited, those of another one are not', async () => {
  const own = await createTestApp({ config: '[limits]\ntoken = "3/1m"\n' });
  const [busy, other] = [await makeKey(own, 'busy'), await makeKey(own, 'other')];
  for (let i = 0; i < 3; i++) expect((await ask(busy.basic, own)).status).toBe(200);
  const { status, headers, body } = await ask(busy.basic, own);
  expect([status, body.error]).toEqual([429, 'temporarily_unavailable']);
  expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
  expect((await ask(other.basic, own)).status).toBe(200);
  await own.stop();
});

describe('making keys', () => {
  test.each(['', ' billing', 'a/b', 'a'.repeat(65), '-a', 'é'])('the name %j', async (name) => {
    await expect(makeKey(app, name)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  test('needs a scope or an audience', async () => {
    await expect(makeKey(app, 'nothing', { scopes: [] })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });

  test('two live keys have no name together, a revoked one gives it back', async () => {
    await makeKey(app, 'twice');
    await expect(makeKey(app, 'twice')).rejects.toMatchObject({ code: 'conflict' });
    await revokeApiKey(app.kernel)(operator, 'twice');
    await makeKey(app, 'twice');
  });

  test('only live keys are revoked', async () => {
    await expect(revokeApiKey(app.kernel)(operator, 'nobody')).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  test('ASVS 14.2.7: a revoked key is forgotten after 90 days', async () => {
    const own = await createTestApp();
    const { id } = await makeKey(own, 'old', { lifetimeMs: null });
    await revokeApiKey(own.kernel)(operator, id);
    own.clock.advance(89 * 86_400_000);
    await tidy(own);
    expect((await listed(id, own))?.revokedAt).not.toBeNull();
    own.clock.advance(2 * 86_400_000);
    await tidy(own);
    expect(await listed(id, own)).toBeUndefined();
    await own.stop();
  });
});
