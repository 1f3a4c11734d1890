/**
 * The one interface between stores and SQLite, and the two ways it is met: a local file through the
 * synchronous `libsql` binding (`local.ts`), and anything else through @libsql/client
 * (`remote.ts`). It has two verbs on purpose: read one statement, write an atomic list. There is no
 * interactive transaction to hold across an await (security.md T2, T11).
 */

export type SqlValue = string | number | bigint | null | Uint8Array;

/**
 * A statement with its values, ready to run; made by {@link prepare} in `prepare.ts` out of a
 * drizzle query.
 */
export interface Statement<Row = unknown> {
  readonly sql: string;
  readonly params: readonly SqlValue[];
  /** Turns the driver's rows (values in column order) into the query's row type. */
  readonly map: (rows: SqlValue[][]) => Row[];
  /** Whether it yields rows (SELECT, or RETURNING). */
  readonly returns: boolean;
  /**
   * When set, a write that changes no row undoes its whole list and rejects with {@link
   * NothingChanged} carrying this word. It is how a list stays conditional: "insert the session
   * only if the user is still in the state that was checked".
   */
  readonly guard?: string;
  /**
   * Set when a read can't yield more than one row (`LIMIT 1`): the local driver then fetches it at
   * less than half the cost.
   */
  readonly atMostOne?: boolean;
}

export type RowsOf<S> = S extends Statement<infer Row> ? Row[] : never;
export type Results<L extends readonly Statement[]> = { -readonly [I in keyof L]: RowsOf<L[I]> };

export interface Database {
  /** Runs one statement that changes nothing. @throws {DatabaseBusy} */
  read<Row>(statement: Statement<Row>): Promise<Row[]>;
  /**
   * Runs a list atomically and resolves after the durable commit, with the rows of each statement
   * in order.
   * @param patienceMs how long it may wait for a commit that it can share; without it, it waits for
   *   nothing
   * @throws {UniqueViolation} a UNIQUE constraint refused the list; nothing of it happened
   * @throws {NothingChanged} a guarded statement changed no row; nothing of the list happened
   * @throws {DatabaseBusy} another process held the write lock past the deadline; nothing of the
   *   list happened
   */
  write<const L extends readonly Statement[]>(
    statements: L,
    patienceMs?: number,
  ): Promise<Results<L>>;
  /**
   * Changes whenever another connection or process has committed (local files); always changes when
   * that can't be told.
   */
  changeMark(): number;
  /** Commits what is queued and closes. Later calls reject. */
  close(): Promise<void>;
}

/** A UNIQUE constraint refused a write. `columns` are `table.column` texts. */
export class UniqueViolation extends Error {
  override readonly name = 'UniqueViolation';
  readonly columns: readonly string[];
  constructor(columns: readonly string[], options?: ErrorOptions) {
    super(`UNIQUE constraint failed: ${columns.join(', ')}`, options);
    this.columns = columns;
  }
}

/** A guarded statement changed nothing, so its list was undone. */
export class NothingChanged extends Error {
  override readonly name = 'NothingChanged';
  readonly guard: string;
  constructor(guard: string) {
    super(`nothing changed where something had to: ${guard}`);
    this.guard = guard;
  }
}

/** Another process held the write lock for too long. Nothing was written. */
export class DatabaseBusy extends Error {
  override readonly name = 'DatabaseBusy';
}

/**
 * The database can't be opened as it is: the message tells an operator what to change. Nothing was
 * changed.
 */
export class DatabaseRefused extends Error {
  override readonly name = 'DatabaseRefused';
}
