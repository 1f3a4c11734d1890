/**
 * A schema of the database tests' own, and databases that are closed and removed after each test.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { blob, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { onTestFinished } from 'vitest';
import type { Migration } from '../../src/db/migrate.ts';
import { openDatabase } from '../../src/db/open.ts';
import type { OpenDatabase, OpenOptions } from '../../src/db/open.ts';
import { prepare, query, raw } from '../../src/db/prepare.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { startHranaServer } from './hrana-server.ts';
import { SQLD, startLibsqlServer } from './libsql-server.ts';

export const thing = sqliteTable('thing', {
  id: integer().primaryKey(),
  name: text().notNull().unique(),
  count: integer().notNull().default(0),
  at: integer({ mode: 'timestamp_ms' }),
  on: integer({ mode: 'boolean' }),
  facts: text({ mode: 'json' }).$type<{ a: number }>(),
  bytes: blob({ mode: 'buffer' }),
});

export const migrations: readonly Migration[] = [
  {
    tag: '0000_thing',
    checksum: 'c0',
    sql: [
      'CREATE TABLE thing (id integer PRIMARY KEY, name text NOT NULL UNIQUE, count integer NOT NULL DEFAULT 0, at integer, "on" integer, facts text, bytes blob)',
      'CREATE TABLE part (id integer PRIMARY KEY, thing_id integer NOT NULL REFERENCES thing(id) ON DELETE CASCADE)',
    ],
  },
];

export const addThing = prepare(
  query
    .insert(thing)
    .values({ name: sql.placeholder('name') })
    .returning({ id: thing.id }),
);
export const addQuietly = raw('INSERT INTO thing (name) VALUES (:name)');
export const names = raw<{ name: string }>('SELECT name FROM thing ORDER BY id', ['name']);

/** A directory that goes when the test ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'postern-db-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Opens and migrates; closed when the test ends. */
export async function open(url: string, options: Partial<OpenOptions> = {}): Promise<OpenDatabase> {
  const db = await openDatabase({
    url,
    busyTimeoutMs: 5000,
    clock: systemClock,
    migrations,
    ...options,
  });
  onTestFinished(() => db.close());
  await db.migrate();
  return db;
}

export type Driver = 'local' | 'client' | 'hrana' | 'sqld';

/** The drivers, and a real server where there is one. */
export const DRIVERS: readonly Driver[] = [
  'local',
  'client',
  'hrana',
  ...(SQLD === undefined ? [] : (['sqld'] as const)),
];

/** Gives a function that opens connections to one new database through this driver. */
export async function newDatabase(driver: Driver): Promise<() => Promise<OpenDatabase>> {
  const path = join(temporaryDirectory(), 'test.db');
  if (driver === 'hrana') {
    const server = await startHranaServer(path);
    onTestFinished(() => server.close());
    return () => open(server.url);
  }
  if (driver === 'sqld') {
    const server = await startLibsqlServer(temporaryDirectory());
    onTestFinished(() => server.close());
    return () => open(server.url);
  }
  return () => open(path, { driver: driver === 'client' ? 'client' : 'auto' });
}
