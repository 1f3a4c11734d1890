/**
 * Which values may be sent to SQLite. A value that would not be read back as it was written is
 * refused here, as a last resort: callers validate input much earlier, so a refusal here is a bug
 * and a plain Error.
 */
import type { SqlValue } from './database.ts';

/**
 * Converts values for both drivers. Integers become bigint, because both drivers bind every JS
 * number as REAL, which turns `n / 1000` into another number and `1` into the text `1.0`. A boolean
 * would abort the process (libsql 0.5.29).
 *
 * @throws {Error} a text with NUL, which libSQL reads back cut (T3), or with a lone surrogate,
 *   which it replaces (T4); a number that isn't finite; an integer outside 64 bits; a value of no
 *   SQL type
 */
export function bindable(params: readonly SqlValue[]): SqlValue[] {
  const bound = new Array<SqlValue>(params.length);
  for (let at = 0; at < params.length; at++) {
    bound[at] = bindableValue(params[at], at);
  }
  return bound;
}

function bindableValue(value: SqlValue | undefined, at: number): SqlValue {
  if (typeof value === 'string') {
    if (value.includes('\0')) throw new Error(`SQL parameter ${at + 1} is a text with NUL`);
    if (!value.isWellFormed()) throw new Error(`SQL parameter ${at + 1} is ill-formed Unicode`);
    return value;
  }
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return BigInt(value);
    if (!Number.isFinite(value)) throw new Error(`SQL parameter ${at + 1} is no finite number`);
    return value;
  }
  if (typeof value === 'bigint') {
    if (value !== BigInt.asIntN(64, value))
      throw new Error(`SQL parameter ${at + 1} has more than 64 bits`);
    return value;
  }
  if (value === null || value instanceof Uint8Array) return value;
  throw new Error(`SQL parameter ${at + 1} is ${typeof value}, which has no SQL type`);
}

/**
 * The SQL value of a store's value: a boolean becomes 0 or 1. @throws {Error} there is none; a
 * missing value is not NULL
 */
export function sqlValue(value: unknown, name: string): SqlValue {
  if (
    value === null ||
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'bigint'
  )
    return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Uint8Array) return value;
  throw new Error(
    `SQL placeholder ${name} was given ${value === undefined ? 'nothing' : typeof value}`,
  );
}

const READS = /^\s*(?:select|values|pragma|explain)\b/i;
const WITH = /^\s*with\b/i;
const WRITES = /\b(?:insert|update|delete|replace)\b/i;

/**
 * Whether a statement changes nothing, judged by its text; {@link Database.read} accepts no other.
 * It detects a write behind WITH.
 */
export function isRead(sql: string): boolean {
  return READS.test(sql) || (WITH.test(sql) && !WRITES.test(sql));
}
