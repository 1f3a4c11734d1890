/**
 * Copies a database file, encrypted or not, while others write to it. A read transaction is held
 * meanwhile: no checkpoint goes beyond it and SQLite does not overwrite the log that it needs. So
 * the file and the log, copied after it, together contain everything that was committed when the
 * transaction began, and SQLite's own recovery merges them.
 *
 * @see https://www.sqlite.org/walformat.html
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { openConnection } from './connection.ts';
import type { Connection } from './connection.ts';
import { DatabaseBusy, DatabaseRefused } from './database.ts';
import { prepareFile, unreadable } from './file.ts';
import { isBusy, isNotADatabase } from './sqlite-error.ts';

const CHUNK_BYTES = 4 * 1_048_576;
const TRIES = 200;
const PAUSE_MS = 25;

export interface SnapshotOptions {
  /** The database. */
  readonly path: string;
  readonly encryptionKey: string | undefined;
  /** The path of the copy; must not exist. Its log is beside it until {@link settleCopy}. */
  readonly copy: string;
  readonly onProgress: (done: number, total: number) => void;
}

/**
 * Copies the database.
 *
 * @throws {DatabaseRefused} it can't be opened as it is
 * @throws {DatabaseBusy} another process held it for too long
 */
export async function snapshot(options: SnapshotOptions): Promise<void> {
  const { path, encryptionKey, copy, onProgress } = options;
  prepareFile(path, encryptionKey);
  const connection = await patiently(() => openConnection(path, encryptionKey, 'inline'));
  const sources: number[] = [];
  try {
    await patiently(() => {
      if (!connection.inTransaction) connection.exec('BEGIN');
      connection.run('SELECT count(*) FROM sqlite_schema', []);
    });
    // Both files are opened first, and closed after the connection: closing a file releases every
    // lock that this process has on it (POSIX).
    const wal = `${path}-wal`;
    for (const source of [path, ...(existsSync(wal) ? [wal] : [])])
      sources.push(openSync(source, 'r'));
    const total = sources.reduce((sum, file) => sum + fstatSync(file).size, 0);
    let done = 0;
    for (const [at, source] of sources.entries())
      for await (const bytes of copyFile(source, at === 0 ? copy : `${copy}-wal`)) {
        done += bytes;
        onProgress(done, Math.max(done, total));
      }
  } catch (error) {
    throw isNotADatabase(error) ? unreadable(path, encryptionKey, error) : error;
  } finally {
    connection.close();
    for (const source of sources) closeSync(source);
  }
}

/**
 * Copies an open file from its start to its present end; yields to the event loop after each part.
 */
async function* copyFile(source: number, path: string): AsyncGenerator<number> {
  const target = openSync(path, 'wx', 0o600);
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let at = 0; ; ) {
      const bytes = readSync(source, chunk, 0, CHUNK_BYTES, at);
      if (bytes === 0) break;
      writeSync(target, chunk, 0, bytes);
      at += bytes;
      yield bytes;
      await new Promise((resolve) => setImmediate(resolve));
    }
    fsyncSync(target);
  } finally {
    closeSync(target);
  }
}

/**
 * Opens a copy, which merges its log into it, and checks every page. Afterwards the copy is a
 * single file.
 *
 * @throws {DatabaseRefused} it is damaged, or encrypted with another key
 */
export function settleCopy(copy: string, encryptionKey: string | undefined): void {
  let connection: Connection | undefined;
  try {
    prepareFile(copy, encryptionKey);
    connection = openConnection(copy, encryptionKey, 'inline');
    const { rows } = connection.run('PRAGMA integrity_check', []);
    if (rows.length !== 1 || rows[0]?.[0] !== 'ok')
      throw new DatabaseRefused(`the copy is damaged: ${String(rows[0]?.[0]).slice(0, 200)}`);
    connection.run('PRAGMA wal_checkpoint(TRUNCATE)', []);
  } catch (error) {
    throw isNotADatabase(error) ? unreadable(copy, encryptionKey, error) : error;
  } finally {
    connection?.close();
  }
}

/**
 * Whether no other connection has the database open, by taking the lock that every connection
 * holds; this also merges its log into it. A database that this key can't open is not checked.
 */
export function isUnused(path: string, encryptionKey: string | undefined): boolean {
  let connection: Connection | undefined;
  try {
    prepareFile(path, encryptionKey);
    connection = openConnection(path, encryptionKey, 'inline');
    connection.run('PRAGMA wal_checkpoint(TRUNCATE)', []);
    // Leaving WAL mode takes the exclusive lock; the next connection returns to WAL mode.
    connection.run('PRAGMA journal_mode=DELETE', []);
    const { rows } = connection.run('PRAGMA journal_mode', []);
    return rows[0]?.[0] === 'delete';
  } catch (error) {
    if (isBusy(error)) return false;
    if (error instanceof DatabaseRefused || isNotADatabase(error)) return true;
    throw error;
  } finally {
    connection?.close();
  }
}

async function patiently<T>(work: () => T): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (tries === TRIES)
        throw new DatabaseBusy('another process holds the database', { cause: error });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
