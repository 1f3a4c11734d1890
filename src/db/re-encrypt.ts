/**
 * Copies a database, encrypted under another key: every table, row and index into a new file. The
 * binding's own `PRAGMA rekey` changes the file in place, and a crash would leave a mixture.
 */
import { openConnection } from './connection.ts';
import type { Connection } from './connection.ts';
import { DatabaseRefused } from './database.ts';
import type { SqlValue } from './database.ts';

export interface ReEncryptOptions {
  readonly from: string;
  readonly fromKey: string | undefined;
  /** Must not exist or be empty. */
  readonly to: string;
  /** Undefined for a plain database. */
  readonly toKey: string | undefined;
  readonly onProgress: (done: number, total: number) => void;
}

const BATCH = 1_000;

const quoted = (name: SqlValue | undefined): string => `"${String(name).replaceAll('"', '""')}"`;

/**
 * Copies everything, and compares the copy with the original.
 *
 * @throws {DatabaseRefused} the copy differs from the database; the database was not changed
 */
export async function reEncrypt(options: ReEncryptOptions): Promise<void> {
  const { from, fromKey, to, toKey, onProgress } = options;
  const source = openConnection(from, fromKey, 'inline');
  let target: Connection | undefined;
  try {
    target = openConnection(to, toKey, 'inline');
    target.exec('PRAGMA foreign_keys=OFF');
    source.exec('BEGIN');
    target.exec('BEGIN IMMEDIATE');
    const { rows: schema } = source.run(
      "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid",
      [],
    );
    const tables = schema.filter(([type]) => type === 'table');
    for (const [, , sql] of tables) target.exec(String(sql));
    const counts = tables.map(([, name]) => countOf(source, quoted(name)));
    const total = counts.reduce((sum, count) => sum + count, 0);
    let done = 0;
    for (const [at, [, name]] of tables.entries()) {
      for await (const copied of copyTable(source, target, quoted(name))) {
        done += copied;
        onProgress(done, total);
      }
      if (countOf(target, quoted(name)) !== counts[at])
        throw new DatabaseRefused(
          `the copy of ${String(name)} has other rows. Nothing was changed.`,
        );
    }
    copySequences(source, target);
    // Indexes after the rows, which is faster.
    for (const [type, , sql] of schema) if (type !== 'table') target.exec(String(sql));
    target.exec('COMMIT');
    source.exec('COMMIT');
    if (target.run('PRAGMA foreign_key_check', []).rows.length > 0)
      throw new DatabaseRefused('the copy breaks references. Nothing was changed.');
    target.run('PRAGMA wal_checkpoint(TRUNCATE)', []);
  } finally {
    target?.close();
    source.close();
  }
}

function countOf(connection: Connection, table: string): number {
  return Number(connection.run(`SELECT count(*) FROM ${table}`, []).rows[0]?.[0]);
}

/** Row ids are kept, because they are the order in which sessions began. */
async function* copyTable(
  source: Connection,
  target: Connection,
  table: string,
): AsyncGenerator<number> {
  const columns = source
    .run(`PRAGMA table_info(${table})`, [])
    .rows.map(([, name]) => quoted(name));
  const names = ['rowid', ...columns].join(', ');
  const places = Array.from({ length: columns.length + 1 }, () => '?').join(', ');
  for (let last: SqlValue = -(2 ** 53) + 1; ; ) {
    const { rows } = source.run(
      `SELECT ${names} FROM ${table} WHERE rowid > ? ORDER BY rowid LIMIT ${BATCH}`,
      [last],
    );
    for (const row of rows) target.run(`INSERT INTO ${table} (${names}) VALUES (${places})`, row);
    if (rows.length < BATCH) {
      yield rows.length;
      return;
    }
    last = rows.at(-1)?.[0] ?? null;
    yield rows.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The AUTOINCREMENT counters, which also count deleted rows. */
function copySequences(source: Connection, target: Connection): void {
  const { rows } = source.run(
    "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'",
    [],
  );
  if (Number(rows[0]?.[0]) === 0) return;
  target.exec('DELETE FROM sqlite_sequence');
  for (const row of source.run('SELECT name, seq FROM sqlite_sequence', []).rows)
    target.run('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)', row);
}
