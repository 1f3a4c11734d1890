/** One list of statements within the transaction that it shares with others. */
import type { Connection, Ran } from './connection.ts';
import { NothingChanged } from './database.ts';
import type { SqlValue, Statement } from './database.ts';
import { isBusy } from './sqlite-error.ts';
import { isRead } from './values.ts';

/** A list of statements that waits for its commit. */
export interface WriteList {
  readonly statements: readonly Statement[];
  readonly params: readonly SqlValue[][];
  readonly resolve: (results: unknown[][]) => void;
  readonly reject: (error: unknown) => void;
}

/** The results of a list's statements. */
export interface ListResult {
  readonly rows: unknown[][];
  readonly changes: number;
}

/** A savepoint that can't be undone: this transaction must not be committed. */
export class Broken extends Error {}

/** Whether an error ends the whole transaction, as a full disk or an I/O error does. */
export function isLost(db: Connection, error: unknown): boolean {
  return isBusy(error) || !db.inTransaction || error instanceof Broken;
}

export function runList(db: Connection, { statements, params }: WriteList): ListResult {
  // A single write undoes itself when it fails, and changed nothing when its guard fails, so it
  // needs no savepoint.
  const savepoint = statements.filter(({ sql }) => !isRead(sql)).length > 1;
  let ran = 0;
  let total = 0;
  try {
    if (savepoint) db.exec('SAVEPOINT list');
    const lists = statements.map((statement, at) => {
      const { rows, changes } = runOne(db, statement, params[at] ?? []);
      if (statement.guard !== undefined && changes === 0) throw new NothingChanged(statement.guard);
      ran += 1;
      if (!isRead(statement.sql)) total += changes;
      return statement.map(rows);
    });
    if (savepoint) db.exec('RELEASE list');
    return { rows: lists, changes: total };
  } catch (error) {
    if (!db.inTransaction || isBusy(error)) throw error;
    if (!savepoint)
      throw ran === 0 ? error : new Broken('its rows could not be read', { cause: error });
    try {
      db.exec('ROLLBACK TO list; RELEASE list');
    } catch {
      throw new Broken('a list could not be undone', { cause: error });
    }
    throw error;
  }
}

function runOne(db: Connection, { sql, atMostOne }: Statement, params: readonly SqlValue[]): Ran {
  if (atMostOne !== true) return db.run(sql, params);
  const rows = db.first(sql, params);
  return { rows, changes: rows.length };
}
