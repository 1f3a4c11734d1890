/**
 * More than one process on one file: a command-line verb beside the server, a backup tool, a crash.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import Libsql from 'libsql';
import { bundleChild, start } from './processes.ts';
import { addQuietly, names, open, temporaryDirectory } from './support.ts';

let bundle = '';
beforeAll(async () => {
  bundle = await bundleChild();
});

function withTickets(path: string, count: number): void {
  const db = new Libsql(path);
  db.exec(
    'PRAGMA journal_mode=WAL; CREATE TABLE ticket (id integer PRIMARY KEY, spent integer); CREATE TABLE twin (id integer); CREATE TABLE big (id integer PRIMARY KEY, bytes blob)',
  );
  db.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) INSERT INTO ticket (id) SELECT i FROM n WHERE ${count} > 0`,
  );
  db.close();
}
const select = (path: string, sql: string): unknown => {
  // The last of the processes may be closing, which takes the whole file for a moment.
  const db = new Libsql(path, { timeout: 5000 });
  const rows = db.prepare(sql).raw(true).all();
  db.close();
  return rows;
};

describe.each(['auto', 'client'] as const)('driver %s', (driver) => {
  test('three processes redeem 1,000 single-use rows exactly once', {
    timeout: 60_000,
  }, async () => {
    const path = join(temporaryDirectory(), 'tickets.db');
    withTickets(path, 1000);
    const children = [1, 2, 3].map(() => start(bundle, ['redeem', path, driver, 1000]));
    for (const child of children) expect(await child.next()).toBe('ready');
    for (const child of children) child.go();
    const won = await Promise.all(children.map((child) => child.next()));
    expect(won.reduce((sum: number, each) => sum + Number(each), 0)).toBe(1000);
    expect(select(path, 'SELECT count(*) FROM ticket WHERE spent = 1')).toEqual([[1000]]);
  });

  test('of processes that migrate at once each migration is applied by one', {
    timeout: 30_000,
  }, async () => {
    const path = join(temporaryDirectory(), 'new.db');
    const children = [1, 2, 3, 4].map(() => start(bundle, ['migrate', path, driver, 3]));
    for (const child of children) expect(await child.next()).toBe('ready');
    for (const child of children) child.go();
    const applied = await Promise.all(children.map((child) => child.next()));
    expect(applied.flat()).toEqual(['0000', '0001', '0002']);
    expect(
      select(
        path,
        'SELECT (SELECT count(*) FROM t0), (SELECT count(*) FROM t2), (SELECT count(*) FROM migration)',
      ),
    ).toEqual([[1, 1, 3]]);
  });

  test('a process that holds the write lock for 300 ms delays writes and loses none', {
    timeout: 20_000,
  }, async () => {
    const path = join(temporaryDirectory(), 'held.db');
    const db = await open(path, { driver });
    const holder = start(bundle, ['hold', path, driver, 300]);
    expect(await holder.next()).toBe('ready');
    let turns = 0;
    const ticking = setInterval(() => (turns += 1), 10);
    const written = Array.from({ length: 30 }, (_, at) =>
      db.write([addQuietly({ name: `n${at}` })]),
    );
    expect(await db.read(names())).toEqual([]);
    await Promise.all(written);
    clearInterval(ticking);
    // The event loop went on turning while the lock was away.
    expect(turns).toBeGreaterThan(5);
    expect(select(path, 'SELECT count(*) FROM thing')).toEqual([[30]]);
  });

  test('past the deadline writes reject with DatabaseBusy, nothing of them happened, and the connection still works', {
    timeout: 20_000,
  }, async () => {
    const path = join(temporaryDirectory(), 'held.db');
    const db = await open(path, { driver, busyTimeoutMs: 150 });
    const holder = start(bundle, ['hold', path, driver, 0]);
    expect(await holder.next()).toBe('ready');
    const settled = await Promise.allSettled([
      db.write([addQuietly({ name: 'a' })]),
      db.write([addQuietly({ name: 'b' })]),
    ]);
    for (const outcome of settled)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'DatabaseBusy' } });
    expect(await db.read(names())).toEqual([]);
    holder.go();
    expect(await holder.next()).toBe('released');
    await db.write([addQuietly({ name: 'c' })]);
    await db.write([addQuietly({ name: 'd' })]);
    await db.close();
    expect(select(path, 'SELECT name FROM thing ORDER BY id')).toEqual([['c'], ['d']]);
  });

  test('a killed process has lost nothing that it acknowledged and left nothing half done', {
    timeout: 30_000,
  }, async () => {
    const path = join(temporaryDirectory(), 'killed.db');
    withTickets(path, 0);
    const child = start(bundle, ['write', path, driver]);
    const acknowledged: unknown[] = [];
    for (let at = 0; at < 25; at++) acknowledged.push(...[await child.next()].flat());
    await child.kill();
    const there = new Set(
      Array.from(select(path, 'SELECT id FROM ticket') as number[][], ([id]) => id),
    );
    expect(acknowledged.filter((id) => !there.has(Number(id)))).toEqual([]);
    expect(
      select(path, 'SELECT (SELECT count(*) FROM ticket) - (SELECT count(*) FROM twin)'),
    ).toEqual([[0]]);
  });

  test('on a full disk the lists that don’t fit reject whole, and what was acknowledged stands; with room again, writes go on', {
    timeout: 30_000,
  }, async () => {
    const path = join(temporaryDirectory(), 'full.db');
    withTickets(path, 0);
    const child = start(bundle, ['fill', path, driver], { fileBlocks: 4096 });
    const said = await child.next();
    expect(said).toMatchObject({
      errors: [expect.stringMatching(/full|disk I\/O|the disk refused/)],
    });
    const { acknowledged, pid } = said as { acknowledged: number[]; pid: number };
    expect(acknowledged.length).toBeGreaterThan(10);
    expect(select(path, 'SELECT id FROM big ORDER BY id')).toEqual(acknowledged.map((id) => [id]));
    expect(select(path, 'SELECT id FROM twin ORDER BY id')).toEqual(acknowledged.map((id) => [id]));
    // Room is made, and the same process goes on by itself.
    execFileSync('prlimit', ['--pid', String(pid), '--fsize=unlimited']);
    child.go();
    const after = await child.next();
    expect(select(path, 'SELECT id FROM twin ORDER BY id')).toEqual(
      [...acknowledged, after].map((id) => [id]),
    );
  });
});
