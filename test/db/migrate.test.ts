/** Migrations: once, in one piece, forward only. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import Libsql from 'libsql';
import { migrate } from '../../src/db/migrate.ts';
import { migrations as embedded } from '../../src/db/migrations.ts';
import { raw } from '../../src/db/prepare.ts';
import { openDatabase } from '../../src/db/open.ts';
import type { OpenDatabase } from '../../src/db/open.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { migrations, newDatabase, open, temporaryDirectory } from './support.ts';

const second = { tag: '0001_more', checksum: 'c1', sql: ['CREATE TABLE more (a)'] };
const tables = raw<{ name: string }>(
  "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
  ['name'],
);
const tableNames = async (db: OpenDatabase): Promise<string[]> =>
  (await db.read(tables())).map(({ name }) => name);

describe.each(['local', 'client', 'hrana'] as const)('%s', (driver) => {
  test('what is pending is applied once and recorded', async () => {
    const db = await (await newDatabase(driver))();
    expect(await db.pendingMigrations()).toEqual([]);
    expect(await migrate(db, [...migrations, second], systemClock, 'test.db')).toEqual([
      '0001_more',
    ]);
    expect(await migrate(db, [...migrations, second], systemClock, 'test.db')).toEqual([]);
    expect(await tableNames(db)).toEqual(['migration', 'more', 'part', 'thing']);
  });

  test('a migration that fails leaves nothing of its run', async () => {
    const db = await (await newDatabase(driver))();
    const broken = {
      tag: '0002_broken',
      checksum: 'c2',
      sql: ['CREATE TABLE half (a)', 'CREATE TABLE thing (again)'],
    };
    await expect(
      migrate(db, [...migrations, second, broken], systemClock, 'test.db'),
    ).rejects.toThrow(/already exists/);
    expect(await tableNames(db)).toEqual(['migration', 'part', 'thing']);
    expect(await migrate(db, [...migrations, second], systemClock, 'test.db')).toEqual([
      '0001_more',
    ]);
  });

  test('of instances that start together in one process each migration is applied by one', async () => {
    const openAgain = await newDatabase(driver);
    const dbs = [await openAgain(), await openAgain(), await openAgain()];
    const applied = await Promise.all(
      dbs.map((db) => migrate(db, [...migrations, second], systemClock, 'test.db')),
    );
    expect(applied.flat()).toEqual(['0001_more']);
  });

  test('a database of a newer program, or with another form of a migration, is refused', async () => {
    const db = await (await newDatabase(driver))();
    await expect(migrate(db, [], systemClock, 'test.db')).rejects.toMatchObject({
      name: 'DatabaseRefused',
      message:
        'test.db was written by a newer postern (it has migration 0000_thing). Run that version or a later one; nothing was changed.',
    });
    const altered = migrations.map((each) => ({ ...each, checksum: 'other' }));
    await expect(migrate(db, [...altered, second], systemClock, 'test.db')).rejects.toMatchObject({
      name: 'DatabaseRefused',
      message: expect.stringMatching(/another version of migration/),
    });
    expect(await tableNames(db)).toEqual(['migration', 'part', 'thing']);
  });
});

test("another program's database is refused and left alone", async () => {
  const path = join(temporaryDirectory(), 'test.db');
  const other = new Libsql(path);
  other.exec('CREATE TABLE posts (a)');
  other.close();
  const db = await openDatabase({ url: path, busyTimeoutMs: 100, clock: systemClock, migrations });
  await expect(db.migrate()).rejects.toMatchObject({
    name: 'DatabaseRefused',
    message: 'test.db holds the tables of another program. Nothing was changed.',
  });
  expect(await tableNames(db)).toEqual(['posts']);
  await db.close();
});

test('the embedded migrations make the whole database', async () => {
  const db = await open(join(temporaryDirectory(), 'test.db'), { migrations: embedded });
  expect(await db.pendingMigrations()).toEqual([]);
  const broken = await db.read(raw<{ table: string }>('PRAGMA foreign_key_check', ['table'])());
  expect(broken).toEqual([]);
});
