/** What both drivers promise alike, and @libsql/client both on a file and over HTTP. */
import { describe, expect, test } from 'vitest';
import { eq, sql } from 'drizzle-orm';
import type { Statement } from '../../src/db/database.ts';
import { guarded, prepare, query, raw } from '../../src/db/prepare.ts';
import { DRIVERS, addQuietly, addThing, names, newDatabase, thing } from './support.ts';

const rename = raw<{ id: number }>('UPDATE thing SET name = :to WHERE name = :from RETURNING id', [
  'id',
]);
const renameQuietly = raw('UPDATE thing SET name = :to WHERE name = :from');
const spend = raw<{ id: number }>(
  'UPDATE thing SET count = count - 1 WHERE name = :name AND count > 0 RETURNING id',
  ['id'],
);
const addPart = raw('INSERT INTO part (thing_id) VALUES (:thing)');
const parts = raw<{ n: number }>('SELECT count(*) FROM part', ['n']);

/** A statement around what `prepare` would refuse. */
const bare = (sqlText: string, params: Statement['params']): Statement<unknown[]> => ({
  sql: sqlText,
  params,
  map: (rows) => rows,
  returns: true,
});

describe.each(DRIVERS)('%s', (driver) => {
  test('a list gives the rows of each statement in order, and none where nothing is returned', async () => {
    const db = await (await newDatabase(driver))();
    const results = await db.write([
      addThing({ name: 'a' }),
      addQuietly({ name: 'b' }),
      rename({ from: 'b', to: 'c' }),
      rename({ from: 'x', to: 'y' }),
    ]);
    expect(results).toEqual([[{ id: 1 }], [], [{ id: 2 }], []]);
    expect(await db.read(names())).toEqual([{ name: 'a' }, { name: 'c' }]);
  });

  test('an empty list does nothing', async () => {
    const db = await (await newDatabase(driver))();
    expect(await db.write([])).toEqual([]);
  });

  test('a list of which one statement fails leaves nothing behind', async () => {
    const db = await (await newDatabase(driver))();
    await expect(
      db.write([addQuietly({ name: 'a' }), raw('INSERT INTO thing (name) VALUES (NULL)')()]),
    ).rejects.toThrow(/NOT NULL/);
    expect(await db.read(names())).toEqual([]);
  });

  test.each([
    ['with RETURNING', rename],
    ['without RETURNING', renameQuietly],
  ])(
    'a guard that changes nothing undoes its list and gives its word, %s',
    async (_, statement) => {
      const db = await (await newDatabase(driver))();
      const list = [
        addThing({ name: 'a' }),
        guarded(addQuietly({ name: 'b' }), 'first'),
        guarded(statement({ from: 'nobody', to: 'z' }), 'second'),
        addQuietly({ name: 'c' }),
      ];
      await expect(db.write(list)).rejects.toMatchObject({
        name: 'NothingChanged',
        guard: 'second',
      });
      expect(await db.read(names())).toEqual([]);
    },
  );

  test.each([
    ['with RETURNING', rename],
    ['without RETURNING', renameQuietly],
  ])('a guard alone in its list holds, %s', async (_, statement) => {
    const db = await (await newDatabase(driver))();
    await expect(
      db.write([guarded(statement({ from: 'nobody', to: 'z' }), 'alone')]),
    ).rejects.toMatchObject({ guard: 'alone' });
    await db.write([addQuietly({ name: 'a' })]);
    await db.write([guarded(statement({ from: 'a', to: 'z' }), 'alone')]);
    expect(await db.read(names())).toEqual([{ name: 'z' }]);
  });

  test('a guard counts its own statement, not the one before it', async () => {
    const db = await (await newDatabase(driver))();
    const ignored = raw('INSERT INTO thing (name) VALUES (:name) ON CONFLICT DO NOTHING');
    await db.write([addQuietly({ name: 'a' })]);
    await expect(
      db.write([addQuietly({ name: 'b' }), guarded(ignored({ name: 'a' }), 'taken')]),
    ).rejects.toMatchObject({ guard: 'taken' });
    expect(await db.read(names())).toEqual([{ name: 'a' }]);
  });

  test('a guarded list that holds is committed whole', async () => {
    const db = await (await newDatabase(driver))();
    const results = await db.write([
      guarded(addThing({ name: 'a' }), 'one'),
      guarded(rename({ from: 'a', to: 'b' }), 'two'),
      addThing({ name: 'c' }),
    ]);
    expect(results).toEqual([[{ id: 1 }], [{ id: 1 }], [{ id: 2 }]]);
  });

  test('a UNIQUE constraint says which columns', async () => {
    const db = await (await newDatabase(driver))();
    await db.write([addQuietly({ name: 'a' })]);
    await expect(
      db.write([addThing({ name: 'b' }), addThing({ name: 'a' })]),
    ).rejects.toMatchObject({ name: 'UniqueViolation', columns: ['thing.name'] });
    await expect(
      db.write([raw("INSERT INTO thing (id, name) VALUES (1, 'q')")()]),
    ).rejects.toMatchObject({ name: 'UniqueViolation', columns: ['thing.id'] });
    expect(await db.read(names())).toEqual([{ name: 'a' }]);
  });

  test('of 50 parallel conditional updates on one row one wins', async () => {
    const db = await (await newDatabase(driver))();
    await db.write([raw("INSERT INTO thing (name, count) VALUES ('once', 1)")()]);
    const won = await Promise.all(
      Array.from({ length: 50 }, () => db.write([spend({ name: 'once' })])),
    );
    expect(won.filter(([rows]) => rows.length === 1)).toHaveLength(1);
  });

  test('a write is visible to another connection when its promise resolves', async () => {
    const openAgain = await newDatabase(driver);
    const db = await openAgain();
    const other = await openAgain();
    await db.write([addQuietly({ name: 'a' })]);
    expect(await other.read(names())).toEqual([{ name: 'a' }]);
  });

  test('a list that fails among others of its turn fails alone', async () => {
    const db = await (await newDatabase(driver))();
    await db.write([addQuietly({ name: 'taken' })]);
    const settled = await Promise.allSettled([
      db.write([addQuietly({ name: 'a' })]),
      db.write([addQuietly({ name: 'half' }), addQuietly({ name: 'taken' })]),
      db.write([
        addQuietly({ name: 'lost' }),
        guarded(renameQuietly({ from: 'nobody', to: 'x' }), 'g'),
      ]),
      db.write([addQuietly({ name: 'b' })]),
    ]);
    expect(settled.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ]);
    expect((await db.read(names())).map(({ name }) => name).sort()).toEqual(['a', 'b', 'taken']);
  });

  test.each(['a\0b', '\0', 'a\ud800', '\udc00'])(
    'a text that would not be read back as written is refused: %j',
    async (text) => {
      const db = await (await newDatabase(driver))();
      await expect(db.write([addQuietly({ name: text })])).rejects.toThrow(/SQL parameter 1 is/);
      await expect(db.read(bare('SELECT ?', [text]))).rejects.toThrow(/SQL parameter 1 is/);
      expect(await db.read(names())).toEqual([]);
    },
  );

  test('a number that is none and a value of no SQL type are refused', async () => {
    const db = await (await newDatabase(driver))();
    for (const value of [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2n ** 63n,
      true,
      undefined,
      {},
      new Date(0),
    ]) {
      // @ts-expect-error some of these are no SqlValue: a boolean would abort the process
      await expect(db.write([bare('SELECT ?', [value])])).rejects.toThrow(/SQL parameter 1/);
    }
  });

  test('integers stay integers, reals reals, and come back as numbers', async () => {
    const db = await (await newDatabase(driver))();
    const [row] = await db.read(
      bare(
        'SELECT typeof(?1), ?1, typeof(?2), ?2, typeof(?3), ?3, ?4 / 1000',
        [1_700_000_000_000, 1.5, Number.MAX_SAFE_INTEGER, 1500n].map((value) => value),
      ),
    );
    expect(row).toEqual([
      'integer',
      1_700_000_000_000,
      'real',
      1.5,
      'integer',
      Number.MAX_SAFE_INTEGER,
      1,
    ]);
  });

  test('columns keep their modes: date, boolean, JSON, bytes, and NULL for each', async () => {
    const db = await (await newDatabase(driver))();
    const placeholders = {
      name: sql.placeholder('name'),
      at: sql.placeholder('at'),
      on: sql.placeholder('on'),
      facts: sql.placeholder('facts'),
      bytes: sql.placeholder('bytes'),
    };
    const add = prepare(query.insert(thing).values(placeholders).returning());
    const byName = prepare(
      query
        .select()
        .from(thing)
        .where(eq(thing.name, sql.placeholder('name')))
        .limit(1),
    );
    const full = {
      name: 'full',
      at: new Date(1_700_000_000_000),
      on: true,
      facts: { a: 1 },
      bytes: Buffer.from([0, 1, 255]),
    };
    const empty = { name: 'empty', at: null, on: null, facts: null, bytes: null };
    expect(await db.write([add(full), add(empty)])).toEqual([
      [{ id: 1, count: 0, ...full }],
      [{ id: 2, count: 0, ...empty }],
    ]);
    expect(await db.read(byName({ name: 'full' }))).toEqual([{ id: 1, count: 0, ...full }]);
    expect(await db.read(byName({ name: 'nobody' }))).toEqual([]);
    expect(
      await db.read(raw<{ n: number }>('SELECT count(*) FROM thing WHERE facts IS NULL', ['n'])()),
    ).toEqual([{ n: 1 }]);
  });

  test('a blob of any length is read back whole', async () => {
    const db = await (await newDatabase(driver))();
    for (const length of [0, 1, 31, 4096, 70_000]) {
      const bytes = Buffer.alloc(length, 7);
      const [row] = await db.read(bare('SELECT ?', [bytes]));
      expect(Buffer.compare(Buffer.from(row?.[0] as Uint8Array), bytes)).toBe(0);
    }
  });

  test('foreign keys hold and cascade', async () => {
    const db = await (await newDatabase(driver))();
    await expect(db.write([addPart({ thing: 77 })])).rejects.toThrow(/FOREIGN KEY/);
    await db.write([addThing({ name: 'a' }), addPart({ thing: 1 }), addPart({ thing: 1 })]);
    expect(await db.read(parts())).toEqual([{ n: 2 }]);
    await db.write([raw('DELETE FROM thing')()]);
    expect(await db.read(parts())).toEqual([{ n: 0 }]);
  });

  test('reading takes no statement that writes', async () => {
    const db = await (await newDatabase(driver))();
    await expect(db.read(addThing({ name: 'a' }))).rejects.toThrow(
      'read was given a statement that writes',
    );
    await expect(
      db.read(bare('WITH x AS (SELECT 1) INSERT INTO thing (name) SELECT 1 FROM x', [])),
    ).rejects.toThrow('writes');
    expect(await db.read(names())).toEqual([]);
  });

  test('closing commits what is queued; later calls reject', async () => {
    const openAgain = await newDatabase(driver);
    const db = await openAgain();
    const written = db.write([addQuietly({ name: 'last' })]);
    await db.close();
    await written;
    await expect(db.write([addQuietly({ name: 'late' })])).rejects.toThrow(
      'the database is closed',
    );
    await expect(db.read(names())).rejects.toThrow('the database is closed');
    expect(await (await openAgain()).read(names())).toEqual([{ name: 'last' }]);
  });

  test("the change mark moves with another connection's commit", async () => {
    const openAgain = await newDatabase(driver);
    const [db, other] = [await openAgain(), await openAgain()];
    const before = db.changeMark();
    await other.write([addQuietly({ name: 'a' })]);
    expect(db.changeMark()).not.toBe(before);
  });
});
