/**
 * The other process of the process tests: argv is a verb, a path, a driver and a number. It is
 * bundled by `processes.ts`, since Node 20 runs no TypeScript. It says what it did as one JSON
 * line.
 */
import { createInterface } from 'node:readline';
import Libsql from 'libsql';
import { openDatabase } from '../../src/db/open.ts';
import { prepare, query, raw } from '../../src/db/prepare.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { sql } from 'drizzle-orm';
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core';

const [verb = '', path = '', driver = 'auto', number = '0'] = process.argv.slice(2);
const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
const open = (migrations: { tag: string; checksum: string; sql: string[] }[] = []) =>
  openDatabase({
    url: path,
    busyTimeoutMs: 20_000,
    clock: systemClock,
    driver: driver === 'client' ? 'client' : 'auto',
    migrations,
    ...(process.env['DB_KEY'] === undefined ? {} : { encryptionKey: process.env['DB_KEY'] }),
  });
/** Says that it is ready and waits for a line, so that several start at once. */
const line = async (): Promise<void> => {
  const lines = createInterface({ input: process.stdin });
  await new Promise<void>((resolve) => lines.once('line', () => resolve()));
  lines.close();
  process.stdin.unref();
};

const ticket = sqliteTable('ticket', { id: integer().primaryKey(), spent: integer() });

const verbs: Record<string, () => Promise<void>> = {
  /** Tries to spend each of `number` single-use rows, many at once. */
  async redeem() {
    const spend = prepare(
      query
        .update(ticket)
        .set({ spent: sql`1` })
        .where(sql`${ticket.id} = ${sql.placeholder('id')} and ${ticket.spent} is null`)
        .returning(),
    );
    const db = await open();
    say('ready');
    await line();
    let won = 0;
    for (let from = 1; from <= Number(number); from += 20) {
      const tries = Array.from({ length: 20 }, (_, at) => db.write([spend({ id: from + at })]));
      for (const [rows] of await Promise.all(tries)) won += rows.length;
    }
    await db.close();
    say(won);
  },
  async migrate() {
    const migrations = Array.from({ length: Number(number) }, (_, at) => ({
      tag: `000${at}`,
      checksum: 'c',
      sql: [`CREATE TABLE t${at} (a)`, `INSERT INTO t${at} VALUES (1)`],
    }));
    say('ready');
    await line();
    const db = await open(migrations);
    say(await db.migrate());
    await db.close();
  },
  /** Holds the write lock for `number` milliseconds, or until a line comes when that is 0. */
  async hold() {
    const db = new Libsql(path, { timeout: 5000 });
    db.exec('BEGIN IMMEDIATE');
    say('ready');
    if (Number(number) > 0) await new Promise((resolve) => setTimeout(resolve, Number(number)));
    else await line();
    db.exec('COMMIT');
    say('released');
    await line();
  },
  /** Commits for ever, saying each acknowledged row, until it is killed. */
  async write() {
    const add = raw<{ id: number }>('INSERT INTO ticket (spent) VALUES (0) RETURNING id', ['id']);
    // A file that grows changes its first page, so that the log holds that one too.
    const grow = raw('INSERT INTO big (bytes) VALUES (zeroblob(5000))');
    const db = await open();
    for (;;) {
      const added = await Promise.all(
        Array.from({ length: 8 }, () =>
          db.write([add(), raw('INSERT INTO twin (id) SELECT max(id) FROM ticket')(), grow()]),
        ),
      );
      say(added.map(([rows]) => rows[0]?.id));
    }
  },
  /** Fills the disk (a file-size limit), then says what stands there. */
  async fill() {
    const db = await open();
    const add = raw<{ id: number }>('INSERT INTO big (bytes) VALUES (zeroblob(:n)) RETURNING id', [
      'id',
    ]);
    const twin = raw('INSERT INTO twin (id) SELECT max(id) FROM big');
    const acknowledged: number[] = [];
    const errors = new Set<string>();
    for (let round = 0; round < 40; round++) {
      const settled = await Promise.allSettled(
        Array.from({ length: 4 }, () => db.write([add({ n: 30_000 }), twin()])),
      );
      for (const outcome of settled) {
        if (outcome.status === 'fulfilled')
          acknowledged.push(...outcome.value[0].map(({ id }) => id));
        else errors.add(String(outcome.reason.message));
      }
    }
    say({ acknowledged, errors: [...errors], pid: process.pid });
    await line();
    const [rows] = await db.write([add({ n: 30_000 }), twin()]);
    await db.close();
    say(rows[0]?.id);
  },
};

await verbs[verb]?.();
