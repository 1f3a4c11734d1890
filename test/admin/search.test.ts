/** Finding users: pages that survive inserts, prefixes, filters, and an index under each query. */
import { join } from 'node:path';
import Libsql from 'libsql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Statement } from '../../src/db/database.ts';
import { createAdminRig } from './rig.ts';
import type { AdminRig } from './rig.ts';

let rig: AdminRig;
beforeAll(async () => {
  rig = await createAdminRig();
  for (const username of ['Anna', 'anke', 'Ärmel', 'ann', 'bert', 'straße'])
    await rig.admin('POST', '/admin/users', { username });
  for (const local of ['anna', 'zoe']) {
    const { body } = await rig.admin('POST', '/admin/users', { username: `has-${local}` });
    const change = { email: `${local}@example.com`, email_verified: true };
    await rig.admin('PATCH', `/admin/users/${body.id}`, change);
  }
});
afterAll(() => rig.stop());

interface Listed {
  readonly id: string;
  readonly username: string | null;
}

/** All pages of a query, each name once, with how many pages there were. */
async function all(query: string, between: () => Promise<unknown> = async () => undefined) {
  const names: (string | null)[] = [];
  let cursor: string | null = '';
  let pages = 0;
  while (cursor !== null) {
    const from: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const { status, body } = await rig.admin('GET', `/admin/users?${query}${from}`);
    expect(status).toBe(200);
    names.push(...body.users.map(({ username }: Listed) => username));
    cursor = body.next_cursor;
    pages += 1;
    await between();
  }
  return { names, pages };
}

describe('search', () => {
  test.each([
    ['an', ['anke', 'ann', 'Anna', 'has-anna']],
    ['AN', ['anke', 'ann', 'Anna', 'has-anna']],
    ['ann', ['ann', 'Anna', 'has-anna']],
    ['anna@', ['has-anna']],
    ['STRASS', ['straße']],
    ['ä', ['Ärmel']],
    ['zoe@EXAMPLE', ['has-zoe']],
    ['nobody', []],
  ])('%s finds %j', async (text, expected) => {
    const query = `search=${encodeURIComponent(text)}`;
    expect((await all(query)).names).toEqual(expected);
    expect((await all(`${query}&limit=1`)).names).toEqual(expected);
    expect((await all(`${query}&limit=2`)).names).toEqual(expected);
  });

  test('one who is found by name and by address comes once', async () => {
    const { body } = await rig.admin('POST', '/admin/users', { username: 'twice' });
    await rig.admin('PATCH', `/admin/users/${body.id}`, {
      email: 'twice@example.com',
      email_verified: true,
    });
    for (const limit of [1, 2, 50])
      expect((await all(`search=twice&limit=${limit}`)).names).toEqual(['twice']);
  });

  test('exact names: external_id, username in any spelling, an address and who claims it', async () => {
    const find = async (query: string) =>
      (await rig.admin('GET', `/admin/users?${query}`)).body.users.map(
        ({ username }: Listed) => username,
      );
    const claimant = await rig.app.register('claimant');
    await rig.app.call('PATCH', '/me', {
      token: claimant.access,
      body: { email: 'zoe@example.com' },
    });
    const { body } = await rig.admin('GET', '/admin/users?username=BERT');
    await rig.admin('PATCH', `/admin/users/${body.users[0].id}`, { external_id: 'crm 1/ä' });
    expect(await find(`external_id=${encodeURIComponent('crm 1/ä')}`)).toEqual(['bert']);
    expect(await find('external_id=crm')).toEqual([]);
    expect(await find('username=ANNA')).toEqual(['Anna']);
    expect(await find('username=zoe@example.com')).toEqual([]);
    expect(await find('email=ZOE@example.com')).toEqual(['has-zoe', 'claimant']);
    expect(await find('email=nobody@example.com')).toEqual([]);
  });
});

describe('pages', () => {
  test('every user comes once while others register and leave, whatever the page size', async () => {
    const before = (await all('limit=200')).names;
    for (const limit of [2, 7]) {
      const during = await all(`limit=${limit}`, () => rig.app.register());
      expect(new Set(during.names).size).toBe(during.names.length);
      expect(during.names.slice(0, before.length)).toEqual(before);
    }
  });

  test('names that come in between, before and behind the place, move nothing', async () => {
    const query = 'search=page-&limit=1';
    for (const n of [10, 20, 30, 40])
      await rig.admin('POST', '/admin/users', { username: `page-${n}` });
    const inserts = ['page-05', 'page-25', 'page-99'];
    const { names } = await all(query, async () => {
      const username = inserts.shift();
      if (username !== undefined) await rig.admin('POST', '/admin/users', { username });
    });
    expect(names).toEqual(['page-10', 'page-20', 'page-25', 'page-30', 'page-40', 'page-99']);
  });

  test('a user who is deleted at the place of a cursor loses nobody', async () => {
    const { body } = await rig.admin('GET', '/admin/users?search=page-&limit=2');
    await rig.admin('DELETE', `/admin/users/${body.users[1].id}`);
    const next = await rig.admin('GET', `/admin/users?search=page-&cursor=${body.next_cursor}`);
    expect(next.body.users.map(({ username }: Listed) => username)).toEqual([
      'page-20',
      'page-25',
      'page-30',
      'page-40',
      'page-99',
    ]);
  });

  test('disabled=true and disabled=false, alone and with a search', async () => {
    const { body } = await rig.admin('GET', '/admin/users?search=page-30');
    await rig.admin('PATCH', `/admin/users/${body.users[0].id}`, { disabled: true });
    expect((await all('disabled=true')).names).toEqual(['page-30']);
    expect((await all('disabled=true&search=page-&limit=1')).names).toEqual(['page-30']);
    expect((await all('disabled=true&username=page-30')).names).toEqual(['page-30']);
    expect((await all('disabled=false&username=page-30')).names).toEqual([]);
    const enabled = (await all('disabled=false&search=page-&limit=2')).names;
    expect(enabled).toEqual(['page-05', 'page-20', 'page-25', 'page-40', 'page-99']);
    expect((await all('disabled=false&limit=200')).names).not.toContain('page-30');
  });
});

test('every statement of administration finds its rows by an index', async () => {
  const seen = new Map<string, Statement>();
  const { read, write } = rig.app.db;
  rig.app.db.read = (statement) => {
    seen.set(statement.sql, statement);
    return read(statement);
  };
  rig.app.db.write = (statements, patienceMs) => {
    for (const statement of statements) seen.set(statement.sql, statement);
    return write(statements, patienceMs);
  };
  const made = await rig.admin('POST', '/admin/users', {
    username: 'plan',
    email: 'plan@example.com',
    external_id: 'plan',
    claims: { a: 1 },
  });
  const path = `/admin/users/${made.body.id}`;
  for (const query of [
    '',
    '?disabled=true',
    '?disabled=false',
    '?search=a',
    '?search=a&disabled=true',
    '?external_id=plan',
    '?username=plan',
    '?email=plan@example.com',
  ])
    expect((await rig.admin('GET', `/admin/users${query}`)).status).toBe(200);
  for (const [method, to, body] of [
    ['GET', path, undefined],
    ['GET', `${path}/emails`, undefined],
    ['GET', `${path}/sessions`, undefined],
    ['POST', `${path}/password-reset`, undefined],
    ['PATCH', path, { email: 'plan2@example.com', email_verified: true, disabled: true }],
    ['PATCH', path, { disabled: false, password_change_required: true, external_id: null }],
    ['PATCH', path, { password_change_required: false, email: 'plan3@example.com' }],
    ['POST', `${path}/unlock`, undefined],
    ['POST', `${path}/logout`, undefined],
    ['DELETE', `${path}/factors`, undefined],
    ['DELETE', path, undefined],
  ] as const)
    expect([to, Math.floor((await rig.admin(method, to, body)).status / 100)]).toEqual([to, 2]);
  Object.assign(rig.app.db, { read, write });
  const db = new Libsql(join(rig.app.directory, 'postern.db'));
  const walks = [...seen.values()].flatMap(({ sql, params }) =>
    db
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...params)
      .map((row) => String(Object(row).detail))
      .filter((step) =>
        /^SCAN (?!\(|CONSTANT|json_each|api_key|signing_key|status_counter)/.test(step),
      )
      .map((step) => `${step}: ${sql}`),
  );
  db.close();
  expect(seen.size).toBeGreaterThan(30);
  expect(walks).toEqual([]);
});

test('a guest account is told from others', async () => {
  const own = await createAdminRig({ config: '[registration]\nanonymous = true\n' });
  await own.app.call('POST', '/register', { body: { anonymous: true } });
  await own.app.register('named');
  const { body } = await own.admin('GET', '/admin/users');
  expect(
    body.users.map((user: { username: string | null; anonymous: boolean }) => [
      user.username,
      user.anonymous,
    ]),
  ).toEqual([
    [null, true],
    ['named', false],
  ]);
  await own.stop();
});
