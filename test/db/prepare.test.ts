/** What a prepared query turns into. */
import { asc, eq, inArray, sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { given, guarded, prepare, prepareUpdateOfOne, query, raw } from '../../src/db/prepare.ts';
import { addThing, thing } from './support.ts';

test('a drizzle query becomes SQL once, its placeholders values of their columns', () => {
  const add = prepare(
    query.insert(thing).values({
      name: sql.placeholder('name'),
      at: sql.placeholder('at'),
      facts: sql.placeholder('facts'),
    }),
  );
  const [a, b] = [
    add({ at: new Date(5), facts: { a: 1 }, name: 'x' }),
    add({ at: null, facts: null, name: 'x' }),
  ];
  expect(a.sql).toBe(
    'insert into "thing" ("id", "name", "count", "at", "on", "facts", "bytes") values (null, ?, ?, ?, null, ?, null)',
  );
  expect([a.params, b.params]).toEqual([
    ['x', 0, 5, '{"a":1}'],
    ['x', 0, null, null],
  ]);
  expect(b.sql).toBe(a.sql);
});

test('constants of a query are values too', () => {
  const find = prepare(
    query
      .select({ id: thing.id })
      .from(thing)
      .where(inArray(thing.on, [true, false]))
      .orderBy(asc(thing.id))
      .limit(1),
  );
  expect(find()).toMatchObject({ params: [1, 0, 1], returns: true, atMostOne: true });
});

test('a missing or untransportable value is a bug, named by its placeholder', () => {
  const find = prepare(
    query
      .select({ id: thing.id })
      .from(thing)
      .where(eq(thing.name, sql.placeholder('name'))),
  );
  expect(() => find({})).toThrow('SQL placeholder name was given nothing');
  expect(() => raw('SELECT :when', [])({ when: new Date() })).toThrow(
    'SQL placeholder when was given object',
  );
  // What every object inherits is no value either.
  expect(() => raw('SELECT :toString', [])({})).toThrow('SQL placeholder toString was given');
});

test('hand-written SQL: one name in several places is one parameter; texts, names and comments are left alone', () => {
  const statement = raw(
    `SELECT ':a', ":b", :now -- :c\n /* :d */ , x || ':%' FROM t WHERE y = :id AND z < :now`,
    [],
  )({ now: 5, id: true });
  expect(statement.sql).toBe(
    `SELECT ':a', ":b", ?1 -- :c\n /* :d */ , x || ':%' FROM t WHERE y = ?2 AND z < ?1`,
  );
  expect(statement.params).toEqual([5, 1]);
});

test('rows of hand-written SQL become objects by their columns, or what a function makes of them', () => {
  const rows = [[1, null]];
  expect(
    raw<{ id: number; name: string | null }>('SELECT id, name FROM thing', ['id', 'name'])().map(
      rows,
    ),
  ).toEqual([{ id: 1, name: null }]);
  expect(raw<number>('SELECT id FROM thing', ([id]) => Number(id) + 1)().map(rows)).toEqual([2]);
});

test('a statement knows whether rows come, and whether at most one can', () => {
  expect(raw('DELETE FROM thing')()).toMatchObject({ returns: false, atMostOne: false });
  expect(raw('DELETE FROM thing RETURNING id')()).toMatchObject({
    returns: true,
    atMostOne: false,
  });
  expect(raw('SELECT id FROM thing LIMIT 1')()).toMatchObject({ returns: true, atMostOne: true });
  expect(raw('SELECT id FROM thing LIMIT 10')()).toMatchObject({ atMostOne: false });
});

test('a guard is a write and nothing else', () => {
  expect(guarded(addThing({ name: 'a' }), 'word').guard).toBe('word');
  expect(() => guarded(raw('SELECT 1')(), 'word')).toThrow('a guard must be a write: word');
});

test('a query that is awaited instead of prepared says so', async () => {
  await expect(query.select().from(thing)).rejects.toThrow();
});

test('an update of one row is an UPDATE with RETURNING; a write has one guard', () => {
  expect(() => prepareUpdateOfOne(query.select().from(thing))({})).toThrow('UPDATE');
  expect(() => prepareUpdateOfOne(query.delete(thing).returning())({})).toThrow('UPDATE');
  const rename = query.update(thing).set({ name: given('name') });
  expect(() => prepareUpdateOfOne(rename)({ name: 'ada' })).toThrow('UPDATE');
  const one = prepareUpdateOfOne(rename.returning())({ name: 'ada' });
  expect([one.atMostOne, one.returns]).toEqual([true, true]);
  expect(guarded(one, 'first').guard).toBe('first');
  expect(() => guarded(guarded(one, 'first'), 'second')).toThrow('second guard');
});
