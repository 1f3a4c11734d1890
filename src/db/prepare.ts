/**
 * Compiles queries once. A drizzle query prepared here costs what the hand-written statement costs;
 * building its SQL anew at each call would cost five times as much. Nothing in here executes: a
 * {@link Statement} goes to `Database.read` or `.write`.
 */
import { is, Param, Placeholder } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/sqlite-proxy';
import type { Query } from 'drizzle-orm';
import type { SqlValue, Statement } from './database.ts';
import { isRead, sqlValue } from './values.ts';

/** Where drizzle queries are built. It never executes: hand what it builds to {@link prepare}. */
export const query = drizzle(() =>
  Promise.reject(new Error('a query was awaited instead of prepared')),
);

/** What drizzle's `prepare()` gives; only its SQL and its row mapping are used. */
interface Prepared {
  getQuery(): Query;
  mapAllResult(rows: unknown): unknown;
  all(values?: Record<string, unknown>): Promise<unknown>;
}
interface Builder {
  prepare(): Prepared;
}
type PreparedOf<Q> = Q extends { prepare(): infer P } ? P : Q;
type RowOf<Q> =
  PreparedOf<Q> extends { all(values?: Record<string, unknown>): Promise<infer Rows> }
    ? Rows extends (infer Row)[]
      ? Row
      : never
    : never;

/**
 * Gives the statement of these values. @throws {Error} a placeholder has no value, or one that no
 * column can take
 */
export type Prepare<Row> = (values?: Record<string, unknown>) => Statement<Row>;

/**
 * Compiles a drizzle query (select, insert, update, delete; with `sql.placeholder`) for any number
 * of uses.
 */
export function prepare<Q extends Builder | Prepared>(builder: Q): Prepare<RowOf<Q>> {
  const prepared: Prepared = 'prepare' in builder ? builder.prepare() : builder;
  const { sql, params } = prepared.getQuery();
  const fillers = params.map(filler);
  const returns = isRead(sql) || RETURNING.test(sql);
  // drizzle's mapping is untyped; the type comes from the same query's `all`.
  const map = (rows: SqlValue[][]): RowOf<Q>[] =>
    returns ? (prepared.mapAllResult(rows) as RowOf<Q>[]) : [];
  const atMostOne = isRead(sql) && /\slimit \?$/i.test(sql) && params.at(-1) === 1;
  return (values = {}) => {
    const filled = new Array<SqlValue>(fillers.length);
    for (let at = 0; at < fillers.length; at++) filled[at] = fillers[at]!(values);
    return { sql, params: filled, map, returns, atMostOne };
  };
}

/** As drizzle writes it, quoted columns after it; in hand-written SQL any column. */
const RETURNING = /\sreturning\s/i;

/**
 * One parameter of a compiled query. It differs from drizzle's `fillPlaceholders` in NULL, which
 * that one hands to the column's encoder: a nullable JSON column would store the text `null`, a
 * nullable date would throw.
 */
function filler(param: unknown): (values: Record<string, unknown>) => SqlValue {
  if (is(param, Placeholder)) {
    const { name } = param;
    return (values) => sqlValue(values[name], name);
  }
  if (is(param, Param) && is(param.value, Placeholder)) {
    const { name } = param.value;
    const { encoder } = param;
    return (values) => {
      const value = values[name];
      return value === null || value === undefined
        ? sqlValue(value, name)
        : sqlValue(encoder.mapToDriverValue(value), name);
    };
  }
  const constant = sqlValue(param, '(constant)');
  return () => constant;
}

/**
 * How a row of hand-written SQL becomes an object: the names of its columns in order, or a
 * function.
 */
type Shape<Row> = readonly (keyof Row & string)[] | ((row: SqlValue[]) => Row);

/**
 * Compiles hand-written SQL with `:name` placeholders; one name may stand in several places. The
 * values of columns arrive as SQLite has them (integer, real, text, blob, null): `Row` is what the
 * SQL promises.
 *
 * @param shape the row's property names in column order, or a function of the row; leave it out
 *   when no rows come
 */
export function raw<Row>(sql: string, shape: Shape<Row> = []): Prepare<Row> {
  const { text, names } = numberPlaceholders(sql);
  const returns = isRead(sql) || RETURNING.test(sql);
  const toRow = typeof shape === 'function' ? shape : named<Row>(shape);
  const map = (rows: SqlValue[][]): Row[] => rows.map(toRow);
  const atMostOne = isRead(sql) && /\slimit 1\s*$/i.test(sql);
  return (values = {}) => ({
    sql: text,
    params: names.map((name) => sqlValue(values[name], name)),
    map,
    returns,
    atMostOne,
  });
}

function named<Row>(columns: readonly (keyof Row & string)[]): (row: SqlValue[]) => Row {
  return (row) => {
    const object: Partial<Record<keyof Row & string, SqlValue>> = {};
    columns.forEach((column, at) => (object[column] = row[at] ?? null));
    // What SQLite sends has no type here; the caller's `Row` states what the SQL text yields.
    return object as Row;
  };
}

/** Texts, quoted names and comments are passed over; `::` is no SQLite. */
const TOKENS = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|:([A-Za-z_]\w*)/g;

function numberPlaceholders(sql: string): { text: string; names: string[] } {
  const names: string[] = [];
  const text = sql.replace(TOKENS, (token: string, name: string | undefined) => {
    if (name === undefined) return token;
    if (!names.includes(name)) names.push(name);
    return `?${names.indexOf(name) + 1}`;
  });
  return { text, names };
}

/**
 * Makes a list conditional on this statement: when it changes no row, the whole list is undone and
 * rejects with `NothingChanged` carrying `word`.
 *
 * @throws {Error} the statement only reads, so that it could never hold
 */
export function guarded<Row>(statement: Statement<Row>, word: string): Statement<Row> {
  if (isRead(statement.sql)) throw new Error(`a guard must stand on a write: ${word}`);
  return { ...statement, guard: word };
}
