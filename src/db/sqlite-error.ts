/**
 * Interprets SQLite errors from both drivers: `libsql` has `code` and `rawCode`; @libsql/client has
 * `code` and `extendedCode`, and over the network often only a message.
 */
import { StorageUnavailable, UniqueViolation } from './database.ts';

function textOf(error: unknown, property: 'code' | 'extendedCode'): string {
  if (typeof error !== 'object' || error === null || !(property in error)) return '';
  const value: unknown = Reflect.get(error, property);
  return typeof value === 'string' ? value : '';
}

function isCode(error: unknown, code: string): boolean {
  const found = textOf(error, 'code');
  return (
    found === code || found.startsWith(`${code}_`) || textOf(error, 'extendedCode').startsWith(code)
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Another connection holds a lock (SQLITE_BUSY and its extended codes). */
export function isBusy(error: unknown): boolean {
  return isCode(error, 'SQLITE_BUSY') || /database is locked/.test(messageOf(error));
}

/** The file is not a database, or is encrypted with another key. */
export function isNotADatabase(error: unknown): boolean {
  return isCode(error, 'SQLITE_NOTADB') || /file is not a database/.test(messageOf(error));
}

export function isConstraint(error: unknown): boolean {
  return isCode(error, 'SQLITE_CONSTRAINT');
}

/** @libsql/client reports this for calls that a reconnect cancelled before they ran. */
export function isClientClosed(error: unknown): boolean {
  return isCode(error, 'CLIENT_CLOSED');
}

/** Primary codes of a disk that is read-only, failing, full, or gone. */
const DISK_CODES: ReadonlySet<number> = new Set([8, 10, 13, 14]);
const DISK_NAMES = ['SQLITE_READONLY', 'SQLITE_IOERR', 'SQLITE_FULL', 'SQLITE_CANTOPEN'];
/** Error codes of the system, when the log is flushed outside SQLite. */
const SYSTEM_NAMES: ReadonlySet<string> = new Set(['EIO', 'ENOSPC', 'EROFS', 'EDQUOT', 'ENOENT']);

/** Whether the disk refused the operation. The binding has no names for some extended codes. */
function isDiskFault(error: unknown): boolean {
  if (DISK_NAMES.some((name) => isCode(error, name))) return true;
  if (SYSTEM_NAMES.has(textOf(error, 'code'))) return true;
  const raw: unknown =
    typeof error === 'object' && error !== null ? Reflect.get(error, 'rawCode') : undefined;
  return typeof raw === 'number' && DISK_CODES.has(raw & 0xff);
}

/**
 * The error for stores: a UNIQUE violation with its columns, a disk error as StorageUnavailable,
 * anything else unchanged.
 */
export function storeError(error: unknown): unknown {
  if (isDiskFault(error)) {
    return new StorageUnavailable('the disk refused the operation', { cause: error });
  }
  const columns = /UNIQUE constraint failed: (.+)$/.exec(messageOf(error))?.[1];
  return columns === undefined ? error : new UniqueViolation(columns.split(', '), { cause: error });
}
