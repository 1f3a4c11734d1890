/**
 * Prepares the database file before SQLite opens it: makes it private, and tries the key on a copy,
 * so that the message "nothing was changed" is true.
 */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { Stats } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { platform, tmpdir } from 'node:os';
import Libsql from 'libsql';
import { DatabaseRefused } from './database.ts';
import { isNotADatabase } from './sqlite-error.ts';

/** SQLite's largest page. The first page holds the header, which shows whether the key fits. */
const FIRST_PAGE_BYTES = 65_536;
const PLAIN_HEADER = Buffer.from('SQLite format 3\0', 'latin1');

export interface PreparedFile {
  /** Whether the file was empty. */
  readonly isNew: boolean;
  /** Warnings for the operator, one sentence each. */
  readonly warnings: readonly string[];
}

/** The refusal when a key does not fit a file. */
function wrongKey(path: string, cause?: unknown): DatabaseRefused {
  const message = `${basename(path)} can't be read with this key. Is database.encryption_key the one that it was created with? Nothing was changed.`;
  return new DatabaseRefused(message, { cause });
}

/**
 * The refusal when a plain database was expected but the file is not one: it may be encrypted, or
 * anything else.
 */
function noDatabase(path: string, cause?: unknown): DatabaseRefused {
  const message = `${basename(path)} is not a database that can be read without a key. If it is encrypted, set database.encryption_key. Nothing was changed.`;
  return new DatabaseRefused(message, { cause });
}

/** The refusal for SQLITE_NOTADB. */
export function unreadable(
  path: string,
  encryptionKey: string | undefined,
  cause?: unknown,
): DatabaseRefused {
  return encryptionKey === undefined ? noDatabase(path, cause) : wrongKey(path, cause);
}

/**
 * Creates the file (0600) and its directory (0700) if they don't exist, and refuses what can't be
 * opened safely. Existing modes are kept.
 *
 * @throws {DatabaseRefused} an empty key, a key that doesn't fit, no regular file, a log without
 *   its database, no access
 */
export function prepareFile(path: string, encryptionKey: string | undefined): PreparedFile {
  // The binding treats an empty key as none and would write a plain file.
  if (encryptionKey === '')
    throw new DatabaseRefused(
      'database.encryption_key is empty. Set a key, or remove the setting to store without encryption. Nothing was changed.',
    );
  const stats = look(path);
  if (stats === undefined) return make(path);
  if (!stats.isFile())
    throw new DatabaseRefused(
      `${path} is not a regular file, so it can't be the database. Nothing was changed.`,
    );
  const isNew = stats.size === 0;
  if (!isNew) checkKey(path, encryptionKey);
  if (isNew) refuseOrphanedLog(path);
  return { isNew, warnings: modeWarnings(path, stats) };
}

function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw new DatabaseRefused(
      `${path} can't be inspected: ${reason(cause)}. Nothing was changed.`,
      { cause },
    );
  }
}

/**
 * Makes the directory of the default `database.url`, and no other: a volume that is not mounted must
 * not start an empty service.
 */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) return;
  if (directory !== resolve('data'))
    throw new DatabaseRefused(
      `${directory}, the directory of database.url, doesn't exist. Mount its volume, or create it, and start again.`,
    );
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (cause) {
    if (reason(cause) === 'EEXIST') return;
    throw new DatabaseRefused(`${directory} can't be created: ${reason(cause)}.`, { cause });
  }
}

function make(path: string): PreparedFile {
  refuseOrphanedLog(path);
  makeDirectory(dirname(path));
  try {
    // SQLite gives its -wal and -shm files the mode of the database.
    closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o600));
  } catch (cause) {
    if (reason(cause) === 'EEXIST' && look(path)?.isFile() === true)
      return { isNew: true, warnings: [] };
    throw new DatabaseRefused(`${path} can't be created: ${reason(cause)}.`, { cause });
  }
  return { isNew: true, warnings: [] };
}

/**
 * A log may hold the last commits of a database that was moved; beside an empty file SQLite would
 * delete it.
 */
function refuseOrphanedLog(path: string): void {
  if ((look(`${path}-wal`)?.size ?? 0) === 0) return;
  const name = basename(path);
  throw new DatabaseRefused(
    `${name}-wal is there, but ${name} is missing or empty. Put the database back beside it, or move ${name}-wal away. Nothing was changed.`,
  );
}

function modeWarnings(path: string, stats: Stats): string[] {
  if (platform() === 'win32' || (stats.mode & 0o007) === 0) return [];
  return [
    `${path} can be read by every account of this machine (mode ${(stats.mode & 0o777).toString(8)}). Set it to 0600.`,
  ];
}

/**
 * With a wrong key, libsql 0.5.29 reports SQLITE_NOTADB, but on closing copies a left-over log into
 * the file under that key, which destroys the database (T13). So an untried key never opens the
 * file: the first page and the log are copied to a private directory, and the key is tried there.
 * Both are needed in case a crash tore the first page.
 */
function checkKey(path: string, encryptionKey: string | undefined): void {
  const isPlain = firstBytes(path, PLAIN_HEADER.length).equals(PLAIN_HEADER);
  if (encryptionKey === undefined) {
    if (!isPlain) throw noDatabase(path);
    return;
  }
  if (isPlain) throw wrongKey(path);
  if (['-wal', '-journal'].some((suffix) => (look(path + suffix)?.size ?? 0) > 0))
    tryOnCopy(path, encryptionKey);
}

function tryOnCopy(path: string, encryptionKey: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'postern-key-'));
  try {
    chmodSync(directory, 0o700);
    const copy = join(directory, 'copy.db');
    writeFileSync(copy, firstBytes(path, FIRST_PAGE_BYTES), { mode: 0o600 });
    for (const suffix of ['-wal', '-journal']) {
      if ((look(path + suffix)?.size ?? 0) > 0) copyFileSync(path + suffix, copy + suffix);
    }
    const options = { timeout: 0, encryptionKey };
    const db = new Libsql(copy, options);
    try {
      db.exec('PRAGMA schema_version');
    } finally {
      db.close();
    }
  } catch (error) {
    // Any other error will occur again, and be reported better, on the file itself.
    if (isNotADatabase(error)) throw wrongKey(path, error);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function firstBytes(path: string, length: number): Buffer {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    throw new DatabaseRefused(`${path} can't be read: ${reason(cause)}. Nothing was changed.`, {
      cause,
    });
  }
  try {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(file, bytes, 0, length, 0));
  } finally {
    closeSync(file);
  }
}

/** The code of a system error, for a sentence. */
function reason(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string')
    return error.code;
  return 'unknown reason';
}
