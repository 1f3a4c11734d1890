/**
 * The interface between stores and SQLite, with two implementations: a local file through the
 * synchronous `libsql` binding (`local.ts`), anything else through @libsql/client (`remote.ts`). It
 * has two operations: read one statement, and write a list atomically. There are no interactive
 * transactions, because they could not be held safely across an await (T2, T11).
 */

export type SqlValue = string | number | bigint | null | Uint8Array;

/**
 * A statement with its values, ready to run; {@link prepare} in `prepare.ts` makes it from a
 * drizzle query.
 */
export interface Statement<Row = unknown> {
  readonly sql: string;
  readonly params: readonly SqlValue[];
  /** Converts the driver's rows (values in column order) to the query's row type. */
  readonly map: (rows: SqlValue[][]) => Row[];
  /** Whether it returns rows (SELECT, or RETURNING). */
  readonly returns: boolean;
  /**
   * If set, this write must change a row: otherwise its whole list is undone and rejects with
   * {@link NothingChanged} carrying this word. This makes a list conditional: "insert the session
   * only if the user is still in the state that was checked".
   */
  readonly guard?: string;
  /** The refusal code if a UNIQUE constraint refuses the list; used by the committing code. */
  readonly conflict?: string;
  /** The column (`table.column`) that {@link conflict} speaks of; without it, of any. */
  readonly conflictOn?: string;
  /** Tasks for the committing code after the commit; the database ignores it. */
  readonly afterwards?: 'refresh_revocations' | 'wake_courier' | 'forget_api_keys';
  /**
   * Set when there is at most one row (`LIMIT 1`, or an UPDATE by primary key): the local driver
   * then fetches it at less than half the cost.
   */
  readonly atMostOne?: boolean;
}

export type RowsOf<S> = S extends Statement<infer Row> ? Row[] : never;
export type Results<L extends readonly Statement[]> = { -readonly [I in keyof L]: RowsOf<L[I]> };

export interface Database {
  /** Runs one statement that changes nothing. @throws {DatabaseBusy} */
  read<Row>(statement: Statement<Row>): Promise<Row[]>;
  /**
   * Runs a list atomically. Resolves after the durable commit, with the rows of each statement in
   * order.
   *
   * @param patienceMs how long it may wait to share a commit with later writes; by default not at
   *   all
   * @throws {UniqueViolation} a UNIQUE constraint refused the list; nothing was changed
   * @throws {NothingChanged} a guarded statement changed no row; nothing was changed
   * @throws {DatabaseBusy} another process held the write lock past the deadline; nothing was
   *   changed
   * @throws {StorageUnavailable} the disk is full, read-only or failing; nothing was acknowledged
   */
  write<const L extends readonly Statement[]>(
    statements: L,
    patienceMs?: number,
  ): Promise<Results<L>>;
  /**
   * Changes whenever another connection or process has committed (local files); changes at every
   * call where that can't be known.
   */
  changeMark(): number;
  /** Commits what is queued, then closes. Later calls reject. */
  close(): Promise<void>;
}

/** A UNIQUE constraint refused a write. `columns` are written `table.column`. */
export class UniqueViolation extends Error {
  override readonly name = 'UniqueViolation';
  readonly columns: readonly string[];
  constructor(columns: readonly string[], options?: ErrorOptions) {
    super(`UNIQUE constraint failed: ${columns.join(', ')}`, options);
    this.columns = columns;
  }
}

/** A guarded statement changed no row, so its list was undone. */
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
 * The disk does not take writes now (full, read-only, failing), or can't be read. Nothing was
 * acknowledged.
 */
export class StorageUnavailable extends Error {
  override readonly name = 'StorageUnavailable';
}

/**
 * The database can't be opened as it is; the message tells the operator what to change. Nothing was
 * changed.
 */
export class DatabaseRefused extends Error {
  override readonly name = 'DatabaseRefused';
}
