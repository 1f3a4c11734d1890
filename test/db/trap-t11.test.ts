/**
 * The libraries' own behaviour that local.ts and remote.ts are built around (security.md T11).
 * These tests pass while it lasts; when one fails, an upgrade has mended it, and the workaround it
 * names can be looked at again.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createClient } from '@libsql/client';
import Libsql from 'libsql';
import { temporaryDirectory } from './support.ts';

const MENDED =
  'the upgrade mended it: a statement that met SQLITE_BUSY no longer swallows later writes';

function newFile(): { path: string; holder: Libsql.Database } {
  const path = join(temporaryDirectory(), 'trap.db');
  const holder = new Libsql(path, { timeout: 0 });
  holder.exec('PRAGMA journal_mode=WAL; CREATE TABLE t (a)');
  return { path, holder };
}
const count = (path: string): unknown =>
  new Libsql(path).prepare('SELECT count(*) FROM t').raw(true).get();

test('libsql loses acknowledged writes after one SQLITE_BUSY', () => {
  const { path, holder } = newFile();
  const writer = new Libsql(path, { timeout: 0 });
  holder.exec('BEGIN IMMEDIATE');
  expect(() => writer.prepare('INSERT INTO t VALUES (1)').run()).toThrow('database is locked');
  holder.exec('COMMIT');
  for (let at = 0; at < 3; at++)
    expect(writer.prepare('INSERT INTO t VALUES (2)').run().changes).toBe(1);
  expect(count(path), MENDED).toEqual([0]);
});

test('@libsql/client loses acknowledged writes after one SQLITE_BUSY', async () => {
  const { path, holder } = newFile();
  const client = createClient({ url: `file:${path}`, concurrency: 1 });
  holder.exec('BEGIN IMMEDIATE');
  await expect(client.execute('INSERT INTO t VALUES (1)')).rejects.toThrow('database is locked');
  holder.exec('COMMIT');
  for (let at = 0; at < 3; at++)
    expect((await client.execute('INSERT INTO t VALUES (2)')).rowsAffected).toBe(1);
  expect(count(path), MENDED).toEqual([0]);
  client.close();
});

test('BUSY at an executed BEGIN IMMEDIATE leaves the connection clean, which the group commit stands on', () => {
  const { path, holder } = newFile();
  const writer = new Libsql(path, { timeout: 0 });
  holder.exec('BEGIN IMMEDIATE');
  expect(() => writer.exec('BEGIN IMMEDIATE')).toThrow('database is locked');
  expect(writer.inTransaction).toBe(false);
  holder.exec('COMMIT');
  writer.exec('BEGIN IMMEDIATE');
  writer.prepare('INSERT INTO t VALUES (2)').run();
  writer.exec('COMMIT');
  expect(count(path)).toEqual([1]);
});
