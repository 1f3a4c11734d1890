/**
 * One synchronous connection to a local file: its pragmas and its cached statements. A cached
 * statement is prepared once and runs 7 times as fast. Preparing a statement while another process
 * holds a lock is what loses writes (T11).
 */
import Libsql from 'libsql';
import { DatabaseRefused } from './database.ts';
import type { SqlValue } from './database.ts';
import type { FlushMode } from './durability.ts';

/** All SQL texts come from the program, so their number is bounded; this catches a mistake. */
const KEPT_STATEMENTS = 512;

/**
 * Settings of each connection. No busy timeout: the binding is synchronous, so SQLite's own waiting
 * would block the event loop. Views and triggers of a foreign file may run no functions.
 */
const PRAGMAS = ['foreign_keys=ON', 'busy_timeout=0', 'trusted_schema=OFF', 'temp_store=MEMORY'];

/**
 * Who flushes: SQLite with each commit, or durability.ts before a commit is acknowledged. SQLite
 * moves pages by itself only if it flushes (else checkpoints.ts does).
 */
const FLUSH_PRAGMAS: Readonly<Record<FlushMode, readonly string[]>> = {
  inline: ['synchronous=FULL'],
  background: ['synchronous=OFF', 'wal_autocheckpoint=0'],
};

export interface Ran {
  readonly rows: SqlValue[][];
  readonly changes: number;
}

export interface Connection {
  readonly inTransaction: boolean;
  exec(sql: string): void;
  /** Runs a statement to completion; `params` come from {@link bindable}. */
  run(sql: string, params: readonly SqlValue[]): Ran;
  /**
   * Fetches only the first row, at less than half the cost. A write that changes a key must not
   * stop there: its foreign-key check would be skipped.
   */
  first(sql: string, params: readonly SqlValue[]): SqlValue[][];
  /** Moves pages of the log into the file and flushes; blocks the event loop. */
  checkpoint(kind: 'PASSIVE' | 'TRUNCATE'): void;
  /** Changes when another connection has committed. */
  dataVersion(): number;
  close(): void;
}

type Kept = {
  readonly statement: ReturnType<Libsql.Database['prepare']>;
  readonly yields: boolean;
};

/**
 * Opens the file. @throws {Error} SQLite's error: SQLITE_NOTADB, SQLITE_CANTOPEN, SQLITE_BUSY
 * (another process is recovering it)
 */
export function openConnection(
  path: string,
  encryptionKey: string | undefined,
  flush: FlushMode,
): Connection {
  const options = { timeout: 0, ...(encryptionKey === undefined ? {} : { encryptionKey }) };
  const db = new Libsql(path, options);
  let kept = new Map<string, Kept>();

  const statementOf = (sql: string): Kept => {
    const known = kept.get(sql);
    if (known !== undefined) return known;
    const statement = db.prepare(sql);
    const entry = { statement, yields: statement.reader };
    if (entry.yields) statement.raw(true);
    if (kept.size >= KEPT_STATEMENTS) {
      for (const oldest of kept.keys()) {
        kept.delete(oldest);
        break;
      }
    }
    kept.set(sql, entry);
    return entry;
  };

  // Read before any pragma is set: with a wrong key, the file must not change.
  try {
    db.exec('SELECT count(*) FROM sqlite_schema');
    db.exec('PRAGMA journal_mode=WAL');
    const mode = db.prepare('PRAGMA journal_mode').raw(true).get();
    if (String(mode) !== 'wal')
      throw new DatabaseRefused(
        `${path} can't be kept in WAL mode here (it is in mode ${String(mode)}). Put it on a local disk.`,
      );
    for (const pragma of [...PRAGMAS, ...FLUSH_PRAGMAS[flush]]) db.exec(`PRAGMA ${pragma}`);
  } catch (error) {
    db.close();
    throw error;
  }

  return {
    get inTransaction() {
      return db.inTransaction;
    },
    exec: (sql) => void db.exec(sql),
    run(sql, params) {
      const { statement, yields } = statementOf(sql);
      if (!yields) return { rows: [], changes: statement.run(params).changes };
      const rows = statement.all(params).map(rowOf);
      return { rows, changes: rows.length };
    },
    first(sql, params) {
      const row = statementOf(sql).statement.get(params);
      return row === undefined ? [] : [rowOf(row)];
    },
    checkpoint(kind) {
      db.exec('PRAGMA synchronous=FULL');
      try {
        db.exec(`PRAGMA wal_checkpoint(${kind})`);
      } finally {
        for (const pragma of FLUSH_PRAGMAS[flush]) db.exec(`PRAGMA ${pragma}`);
      }
    },
    dataVersion() {
      const [version] = rowOf(statementOf('PRAGMA data_version').statement.get([]));
      return Number(version);
    },
    close() {
      kept = new Map();
      db.close();
    },
  };
}

/** In raw mode a row is an array of values; the binding's types don't say so. */
function rowOf(row: unknown): SqlValue[] {
  if (!Array.isArray(row)) throw new Error('the driver returned a row in an unexpected form');
  return row;
}
