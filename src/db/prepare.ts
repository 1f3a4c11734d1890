/**
 * Compiles queries once. A prepared drizzle query costs as much as the hand-written statement;
 * building its SQL at each call would cost five times as much. Nothing here executes: pass a {@link
 * Statement} to `Database.read` or `.write`.
 */
import { is, Param, Placeholder, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/sqlite-proxy';
import type { AnyColumn, GetColumnData, Query, SQL } from 'drizzle-orm';
import type { SqlValue, Statement } from './database.ts';
import { isRead, sqlValue } from './values.ts';

/** Builds drizzle queries. It never executes: pass the result to {@link prepare}. */
export const query = drizzle(() =>
  Promise.reject(new Error('a query was awaited instead of prepared')),
);

/** The row type of a selection of columns. */
export type RowOfColumns<Columns extends Readonly<Record<string, AnyColumn>>> = {
  readonly [Name in keyof Columns]: GetColumnData<Columns[Name]>;
};

/**
 * A value that is given when the statement runs, wherever drizzle takes SQL. It is bound as it is: a
 * JSON column takes its text.
 */
export function given(name: string): SQL {
  return sql`${sql.placeholder(name)}`;
}

/** The result of drizzle's `prepare()`; only its SQL and row mapping are used. */
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

/** Binds values. @throws {Error} a placeholder has no value, or a value that no column can hold */
export type Prepare<Row> = (values?: Record<string, unknown>) => Statement<Row>;

/**
 * Compiles a drizzle query (select, insert, update, delete; with `sql.placeholder`) for repeated
 * use, on its first use: compiling all queries at start would take a tenth of the start.
 */
export function prepare<Q extends Builder | Prepared>(builder: Q): Prepare<RowOf<Q>> {
  let compiled: Prepare<RowOf<Q>> | undefined;
  return (values) => {
    compiled ??= compile(builder, 'any');
    return compiled(values);
  };
}

/**
 * The same for an UPDATE … RETURNING of the row with a given primary key, at less than half the
 * cost: SQLite makes its changes before it returns the first row, and the rest of the statement is
 * not run. The rest includes the check of foreign keys, so the statement must not set a column with
 * one.
 *
 * @throws {Error} it is no such UPDATE
 */
export function prepareUpdateOfOne<Q extends Builder | Prepared>(builder: Q): Prepare<RowOf<Q>> {
  return compile(builder, 'one');
}

function compile<Q extends Builder | Prepared>(builder: Q, rows: 'any' | 'one'): Prepare<RowOf<Q>> {
  const prepared: Prepared = 'prepare' in builder ? builder.prepare() : builder;
  const { sql, params } = prepared.getQuery();
  const fillers = params.map(filler);
  const returns = isRead(sql) || RETURNING.test(sql);
  // drizzle's mapping is untyped; the type comes from the same query's `all`.
  const map = (rows: SqlValue[][]): RowOf<Q>[] =>
    returns ? (prepared.mapAllResult(rows) as RowOf<Q>[]) : [];
  if (rows === 'one' && !SINGLE_UPDATE.test(sql)) throw new Error(`no UPDATE … RETURNING: ${sql}`);
  const atMostOne =
    rows === 'one' || (isRead(sql) && /\slimit \?$/i.test(sql) && params.at(-1) === 1);
  return (values = {}) => {
    const filled = new Array<SqlValue>(fillers.length);
    let at = 0;
    for (const fill of fillers) filled[at++] = fill(values);
    return { sql, params: filled, map, returns, atMostOne };
  };
}

/** drizzle quotes column names after UPDATE; hand-written SQL may not. */
const RETURNING = /\sreturning\s/i;
const SINGLE_UPDATE = /^update\b.*\sreturning\s/is;

/**
 * One parameter of a compiled query. Unlike drizzle's `fillPlaceholders`, NULL does not go through
 * the column's encoder: a nullable JSON column would store the text `null`, a nullable date would
 * throw.
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

/** How a row of hand-written SQL becomes an object: its column names in order, or a function. */
type Shape<Row> = readonly (keyof Row & string)[] | ((row: SqlValue[]) => Row);

/**
 * Compiles hand-written SQL with `:name` placeholders; a name may occur several times. Column
 * values arrive as SQLite has them (integer, real, text, blob, null); `Row` is what the SQL
 * promises.
 *
 * @param shape the row's property names in column order, or a function of the row; omit it when no
 *   rows are returned
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
    // Rows from SQLite are untyped; the caller's `Row` states what the SQL returns.
    return object as Row;
  };
}

/** Skips literals, quoted names and comments; `::` does not exist in SQLite. */
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
 * Makes a list conditional on this statement: if it changes no row, the whole list is undone and
 * rejects with `NothingChanged` carrying `word`.
 *
 * @throws {Error} the statement only reads, so the condition could never hold; or it has a guard
 */
export function guarded<Row>(statement: Statement<Row>, word: string): Statement<Row> {
  if (isRead(statement.sql)) throw new Error(`a guard must be a write: ${word}`);
  if (statement.guard !== undefined) throw new Error(`a second guard on one write: ${word}`);
  return { guard: word, ...statement };
}
