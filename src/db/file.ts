/**
 * The database file before SQLite touches it: it is made private, and a key that doesn't fit is
 * found on a copy. Both are promises to the operator: "nothing was changed" has to be true.
 */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { platform, tmpdir } from 'node:os';
import Libsql from 'libsql';
import { DatabaseRefused } from './database.ts';
import { isNotADatabase } from './sqlite-error.ts';

/** SQLite's largest page; the first page holds the header and what tells whether the key fits. */
const FIRST_PAGE_BYTES = 65_536;
const PLAIN_HEADER = Buffer.from('SQLite format 3\0', 'latin1');

export interface PreparedFile {
  /** Whether there was nothing to read in it. */
  readonly isNew: boolean;
  /** What an operator should know; one sentence each. */
  readonly warnings: readonly string[];
}

/** The refusal when a key and a file don't fit. */
export function wrongKey(path: string, cause?: unknown): DatabaseRefused {
  const message = `${basename(path)} can't be read with this key. Is database.encryption_key the one it was made with? Nothing was changed.`;
  return new DatabaseRefused(message, { cause });
}

/**
 * The refusal when a file that should be a plain database isn't one: it may be encrypted, or
 * anything else.
 */
function noDatabase(path: string, cause?: unknown): DatabaseRefused {
  const message = `${basename(path)} is not a database that can be read without a key. If it is encrypted, set database.encryption_key. Nothing was changed.`;
  return new DatabaseRefused(message, { cause });
}

/** The refusal that fits to SQLITE_NOTADB. */
export function unreadable(
  path: string,
  encryptionKey: string | undefined,
  cause?: unknown,
): DatabaseRefused {
  return encryptionKey === undefined ? noDatabase(path, cause) : wrongKey(path, cause);
}

/**
 * Makes the file (0600) and its directory (0700) if they aren't there, and refuses what can't be
 * opened safely. Existing modes stay as they are.
 *
 * @throws {DatabaseRefused} an empty key, a key that doesn't fit, no regular file, a log without
 *   its database, no access
 */
export function prepareFile(path: string, encryptionKey: string | undefined): PreparedFile {
  // The binding takes an empty key for none and would write a plain file.
  if (encryptionKey === '')
    throw new DatabaseRefused(
      'database.encryption_key is empty. Set a key, or remove the setting to store without encryption. Nothing was changed.',
    );
  const stats = look(path);
  if (stats === undefined) return make(path);
  if (!stats.isFile())
    throw new DatabaseRefused(
      `${path} is no regular file, so it can't be the database. Nothing was changed.`,
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
      `${path} can't be looked at: ${reason(cause)}. Nothing was changed.`,
      { cause },
    );
  }
}

function make(path: string): PreparedFile {
  refuseOrphanedLog(path);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // SQLite gives its -wal and -shm files the mode of the database.
    closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o600));
  } catch (cause) {
    if (reason(cause) === 'EEXIST' && look(path)?.isFile() === true)
      return { isNew: true, warnings: [] };
    throw new DatabaseRefused(`${path} can't be made: ${reason(cause)}.`, { cause });
  }
  return { isNew: true, warnings: [] };
}

/**
 * A log may hold the last commits of a database that was moved; SQLite would delete it beside an
 * empty file.
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
 * libsql 0.5.29, given a key that doesn't fit, reports SQLITE_NOTADB; but on closing it copies the
 * pages of a left-over log, which a killed process leaves, into the file under that wrong key, and
 * the database is gone. So that file is never opened with an untried key: the first page and the
 * log are copied into a private directory, and the key is tried there. Together they suffice even
 * if the crash tore the first page, since the log then holds it.
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
    // Anything but a key that doesn't fit will be met again, and reported better, on the file
    // itself.
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
