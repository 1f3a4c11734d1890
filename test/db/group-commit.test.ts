/**
 * The group commit of a local file: what shares a commit, what fails alone, and when a promise
 * settles.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import Libsql from 'libsql';
import { guarded, raw } from '../../src/db/prepare.ts';
import type { Commit } from '../../src/db/open.ts';
import type { OpenDatabase } from '../../src/db/open.ts';
import { addQuietly, addThing, names, open, temporaryDirectory } from './support.ts';

async function counted(): Promise<{ db: OpenDatabase; commits: Commit[]; path: string }> {
  const path = join(temporaryDirectory(), 'test.db');
  const commits: Commit[] = [];
  const db = await open(path, { onCommit: (commit) => commits.push(commit) });
  commits.length = 0;
  return { db, commits, path };
}

test('the lists of one turn are one commit, with one among them that fails', async () => {
  const { db, commits } = await counted();
  const lists = Array.from({ length: 21 }, (_, at) =>
    db.write(
      at === 10
        ? [addQuietly({ name: 'x' }), addQuietly({ name: 'n0' })]
        : [addQuietly({ name: `n${at}` })],
    ),
  );
  const settled = await Promise.allSettled(lists);
  expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  expect(commits).toEqual([{ lists: 20, statements: 20, durationMs: expect.any(Number) }]);
  expect((await db.read(names())).map(({ name }) => name)).not.toContain('x');
});

test('a promise resolves only after its commit: another connection sees the row, and the lists of its turn too', async () => {
  const { db, path } = await counted();
  const other = new Libsql(path);
  const count = other.prepare('SELECT count(*) FROM thing').raw(true);
  const seen: unknown[] = [];
  const write = async (name: string): Promise<void> => {
    await db.write([addQuietly({ name })]);
    seen.push(count.get());
  };
  await Promise.all(['a', 'b', 'c'].map(write));
  expect(seen).toEqual([[3], [3], [3]]);
  other.close();
});

test('nothing that shares a commit with a failing list sees a part of it', async () => {
  const { db } = await counted();
  const [, failed, later] = await Promise.allSettled([
    db.write([addThing({ name: 'a' })]),
    db.write([
      addThing({ name: 'b' }),
      guarded(raw('UPDATE thing SET count = 1 WHERE id = 99')(), 'g'),
    ]),
    db.write([
      raw<{ n: number }>(
        'INSERT INTO part (thing_id) SELECT id FROM thing RETURNING (SELECT count(*) FROM thing)',
        ['n'],
      )(),
    ]),
  ]);
  expect(failed?.status).toBe('rejected');
  expect(later).toMatchObject({ status: 'fulfilled', value: [[{ n: 1 }]] });
});

test('a list whose rows can’t be read as promised is undone, and its neighbours are not', async () => {
  const { db } = await counted();
  const unreadable = raw<never>('INSERT INTO thing (name) VALUES (:name) RETURNING id', () => {
    throw new Error('unreadable');
  });
  const settled = await Promise.allSettled([
    db.write([addQuietly({ name: 'a' })]),
    db.write([unreadable({ name: 'alone' })]),
    db.write([addQuietly({ name: 'with' }), unreadable({ name: 'another' })]),
    db.write([addQuietly({ name: 'b' })]),
  ]);
  expect(settled.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'fulfilled',
  ]);
  expect((await db.read(names())).map(({ name }) => name).sort()).toEqual(['a', 'b']);
});

test('a statement that rolls the whole transaction back takes no other list with it', async () => {
  const { db } = await counted();
  const rude = raw("INSERT OR ROLLBACK INTO thing (name) VALUES ('a')");
  const settled = await Promise.allSettled([
    db.write([addQuietly({ name: 'a' })]),
    db.write([addQuietly({ name: 'b' }), rude()]),
    db.write([addQuietly({ name: 'c' })]),
  ]);
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect((await db.read(names())).map(({ name }) => name).sort()).toEqual(['a', 'c']);
});

test('a constraint that speaks at COMMIT rejects the list that broke it alone', async () => {
  const { db } = await counted();
  await db.write([
    raw('CREATE TABLE late (id integer REFERENCES thing(id) DEFERRABLE INITIALLY DEFERRED)')(),
  ]);
  const settled = await Promise.allSettled([
    db.write([addQuietly({ name: 'a' })]),
    db.write([raw('INSERT INTO late VALUES (99)')()]),
    db.write([addQuietly({ name: 'b' })]),
  ]);
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect((await db.read(names())).map(({ name }) => name)).toEqual(['a', 'b']);
});

test('many lists are split over commits, and the event loop turns in between', async () => {
  const { db, commits } = await counted();
  const lists = Array.from({ length: 600 }, (_, at) => db.write([addQuietly({ name: `n${at}` })]));
  await Promise.all(lists);
  expect(commits.map(({ lists: count }) => count)).toEqual([256, 256, 88]);
});

test('lists are committed in the order in which they came', async () => {
  const { db } = await counted();
  await Promise.all(
    Array.from({ length: 300 }, (_, at) => db.write([addQuietly({ name: `n${at}` })])),
  );
  expect((await db.read(names())).map(({ name }) => name)).toEqual(
    Array.from({ length: 300 }, (_, at) => `n${at}`),
  );
});

test("the change mark stays for one's own commits", async () => {
  const { db } = await counted();
  const before = db.changeMark();
  await db.write([addQuietly({ name: 'a' })]);
  expect(db.changeMark()).toBe(before);
});

test('a list with patience shares the next commit, keeps its place, and waits no longer than it said', async () => {
  const { db, commits, path } = await counted();
  const patient = db.write([addQuietly({ name: 'patient' })], 60_000);
  // A list without patience would be committed in the next turn of the event loop.
  for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve));
  expect(commits).toEqual([]);
  await Promise.all([patient, db.write([addQuietly({ name: 'eager' })])]);
  expect(commits).toMatchObject([{ lists: 2 }]);
  expect((await db.read(names())).map(({ name }) => name)).toEqual(['patient', 'eager']);
  // Nobody comes: its own time ends.
  await db.write([addQuietly({ name: 'alone' })], 30);
  expect(commits).toHaveLength(2);
  // Closing waits for what waits.
  const last = db.write([addQuietly({ name: 'last' })], 30);
  await db.close();
  await last;
  const other = new Libsql(path);
  expect(other.prepare('SELECT count(*) FROM thing').raw(true).get()).toEqual([4]);
  other.close();
});

test('lists with patience are as conditional as any: of many at once one wins', async () => {
  const { db, commits } = await counted();
  await db.write([addQuietly({ name: 'a' })]);
  commits.length = 0;
  const spend = raw<{ id: number }>(
    'UPDATE thing SET count = 1 WHERE name = :name AND count = 0 RETURNING id',
    ['id'],
  );
  const won = await Promise.all(
    Array.from({ length: 30 }, () => db.write([spend({ name: 'a' })], 10)),
  );
  expect(won.filter(([rows]) => rows.length > 0)).toHaveLength(1);
  expect(commits).toHaveLength(1);
});
