/**
 * A local file through the synchronous `libsql` binding. Reads run at once. The writes of one turn
 * of the event loop share one `BEGIN IMMEDIATE … COMMIT`, each list in a savepoint of its own,
 * because the disk's flush is what costs. Each promise settles after its commit. The write lock is
 * taken first, so SQLITE_BUSY can only occur there, where it is harmless (T11).
 */
import type { Clock } from '../lib/clock.ts';
import { openConnection } from './connection.ts';
import type { Connection } from './connection.ts';
import { DatabaseBusy, NothingChanged } from './database.ts';
import type { Database, Results, SqlValue, Statement } from './database.ts';
import { prepareFile, unreadable } from './file.ts';
import { isBusy, isConstraint, isNotADatabase, storeError } from './sqlite-error.ts';
import { bindable, isRead } from './values.ts';

/** Maximum number of lists in one commit: the event loop is blocked for all of it. */
const LISTS_PER_COMMIT = 256;
/** Milliseconds between two attempts to get a lock, chosen at random in this range. */
const RETRY_MS = { least: 1, most: 12 };

export interface Commit {
  readonly lists: number;
  readonly statements: number;
  readonly durationMs: number;
}

export interface LocalOptions {
  /** Encrypts the file; must not be empty. */
  readonly encryptionKey?: string | undefined;
  /** How long a call may wait for another process's lock. */
  readonly busyTimeoutMs: number;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly onCommit?: ((commit: Commit) => void) | undefined;
}

export interface LocalDatabase extends Database {
  /** Whether the file was empty when it was opened. */
  readonly isNew: boolean;
  readonly warnings: readonly string[];
}

interface Job {
  readonly statements: readonly Statement[];
  readonly params: readonly SqlValue[][];
  readonly resolve: (results: unknown[][]) => void;
  readonly reject: (error: unknown) => void;
  /** It gets a commit of its own, because a shared commit failed. */
  readonly alone: boolean;
}

/** The lists of a transaction before its end. */
interface Ran {
  readonly done: { readonly job: Job; readonly results: unknown[][] }[];
  readonly refused: Failed[];
}

interface Failed {
  readonly job: Job;
  readonly error: unknown;
}

/**
 * Opens a file, creating it if needed.
 *
 * @throws {DatabaseRefused} the file can't be used as it is; nothing was changed
 */
export async function openLocal(path: string, options: LocalOptions): Promise<LocalDatabase> {
  const { encryptionKey, busyTimeoutMs, clock } = options;
  const { isNew, warnings } = prepareFile(path, encryptionKey);

  let current: Connection | undefined;
  /** Numbers the connections, so that change marks of different connections differ. */
  let generation = 0;
  const connection = (): Connection => {
    if (current === undefined) {
      current = openConnection(path, encryptionKey);
      generation += 1;
    }
    return current;
  };
  /**
   * After an error with unknown effect on the connection: undo its transaction and open a new one.
   */
  const drop = (): void => {
    const old = current;
    current = undefined;
    if (old === undefined) return;
    attempt(() => old.inTransaction && old.exec('ROLLBACK'));
    attempt(() => old.close());
  };

  /**
   * Repeats a call while another process holds the lock, waiting by timers so that the event loop
   * stays free. @throws {DatabaseBusy}
   */
  async function patiently<T>(call: () => T): Promise<T> {
    const deadline = clock.monotonic() + busyTimeoutMs;
    for (;;) {
      try {
        return call();
      } catch (error) {
        if (!isBusy(error)) throw error;
        drop();
        if (clock.monotonic() >= deadline)
          throw new DatabaseBusy('another process holds the database', { cause: error });
        await pause();
      }
    }
  }

  let queue: Job[] = [];
  let waitingSince: number | undefined;
  let scheduled = false;
  let closed = false;
  let onIdle: (() => void) | undefined;

  /** Fires when the writes that wait for a shared commit have waited long enough. */
  let patience: NodeJS.Timeout | undefined;
  const schedule = (patienceMs = 0): void => {
    if (scheduled) return;
    if (patienceMs > 0) {
      patience ??= setTimeout(flush, patienceMs);
      return;
    }
    scheduled = true;
    setImmediate(flush);
  };
  const requeue = (jobs: readonly Job[]): void => {
    queue = [...jobs, ...queue];
  };

  function flush(): void {
    scheduled = false;
    clearTimeout(patience);
    patience = undefined;
    commit(queue.splice(0, queue[0]?.alone === true ? 1 : sharedCount(queue)));
    if (queue.length > 0) {
      if (waitingSince === undefined) schedule();
    } else {
      onIdle?.();
    }
  }

  function waitForLock(jobs: readonly Job[], cause: unknown): void {
    requeue(jobs);
    const now = clock.monotonic();
    waitingSince ??= now;
    if (now - waitingSince >= busyTimeoutMs) {
      waitingSince = undefined;
      const late = queue;
      queue = [];
      for (const job of late)
        job.reject(new DatabaseBusy('another process holds the write lock', { cause }));
      return;
    }
    scheduled = true;
    setTimeout(flush, jitter());
  }

  function commit(jobs: readonly Job[]): void {
    if (jobs.length === 0) return;
    const started = clock.monotonic();
    const db = begin(jobs);
    if (db === undefined) return;
    const ran = runLists(db, jobs);
    if (ran === undefined || !end(db, jobs, ran)) return;
    const { done, refused } = ran;
    waitingSince = undefined;
    for (const { job, error } of refused) job.reject(storeError(error));
    for (const { job, results } of done) job.resolve(results);
    if (done.length === 0) return;
    const statements = done.reduce((sum, { job }) => sum + job.statements.length, 0);
    options.onCommit?.({ lists: done.length, statements, durationMs: clock.monotonic() - started });
  }

  /** Begins a transaction. Undefined if it can't: the lists wait, or were rejected. */
  function begin(jobs: readonly Job[]): Connection | undefined {
    try {
      const db = connection();
      db.exec('BEGIN IMMEDIATE');
      return db;
    } catch (error) {
      if (isBusy(error)) {
        waitForLock(jobs, error);
      } else {
        drop();
        rejectAll(jobs, error);
      }
      return undefined;
    }
  }

  /** Runs each list. Undefined when the transaction is lost: the lists wait, or were rejected. */
  function runLists(db: Connection, jobs: readonly Job[]): Ran | undefined {
    const ran: Ran = { done: [], refused: [] };
    for (const job of jobs) {
      try {
        ran.done.push({ job, results: runList(db, job) });
      } catch (error) {
        if (isLost(db, error)) {
          giveUp(db, jobs, { job, error });
          return undefined;
        }
        ran.refused.push({ job, error });
      }
    }
    return ran;
  }

  /** Gives up a transaction that is lost to one list; the others get a new one. */
  function giveUp(db: Connection, jobs: readonly Job[], { job, error }: Failed): void {
    if (isBusy(error)) {
      drop();
      return waitForLock(jobs, error);
    }
    if (db.inTransaction) drop();
    waitingSince = undefined;
    job.reject(error instanceof Broken ? error.cause : error);
    requeue(jobs.filter((other) => other !== job));
  }

  /** Ends the transaction. False if it can't: the lists wait, or were rejected. */
  function end(db: Connection, jobs: readonly Job[], ran: Ran): boolean {
    try {
      db.exec(ran.done.length > 0 ? 'COMMIT' : 'ROLLBACK');
      return true;
    } catch (error) {
      drop();
      if (isBusy(error)) waitForLock(jobs, error);
      else refuseCommit(jobs, ran, error);
      return false;
    }
  }

  function refuseCommit(jobs: readonly Job[], { done, refused }: Ran, error: unknown): void {
    waitingSince = undefined;
    // A deferred constraint fails only at COMMIT and doesn't say which list broke it.
    if (isConstraint(error) && jobs.length > 1)
      return requeue(jobs.map((job) => ({ ...job, alone: true })));
    for (const { job, error: own } of refused) job.reject(storeError(own));
    for (const { job } of done) job.reject(error);
  }

  try {
    await patiently(connection);
  } catch (error) {
    if (isNotADatabase(error)) throw unreadable(path, encryptionKey, error);
    throw error;
  }

  return {
    isNew,
    warnings,
    read<Row>(statement: Statement<Row>): Promise<Row[]> {
      let params: SqlValue[];
      const run = (): Row[] => {
        const { sql, atMostOne } = statement;
        return statement.map(
          atMostOne === true ? connection().first(sql, params) : connection().run(sql, params).rows,
        );
      };
      try {
        if (closed) throw new Error('the database is closed');
        if (!isRead(statement.sql)) throw new Error('read was given a statement that writes');
        params = bindable(statement.params);
        return Promise.resolve(run());
      } catch (error) {
        return isBusy(error) ? patiently(run) : Promise.reject(error);
      }
    },
    write<const L extends readonly Statement[]>(
      statements: L,
      patienceMs?: number,
    ): Promise<Results<L>> {
      return new Promise<unknown[][]>((resolve, reject) => {
        if (closed) throw new Error('the database is closed');
        if (statements.length === 0) return resolve([]);
        queue.push({
          statements,
          params: statements.map((statement) => bindable(statement.params)),
          resolve,
          reject,
          alone: false,
        });
        schedule(patienceMs);
        // Each statement's own `map` made its rows; the compiler can't follow that through a list.
      }) as Promise<Results<L>>;
    },
    changeMark() {
      try {
        const version = connection().dataVersion();
        return generation * 2 ** 32 + version;
      } catch {
        drop();
        generation += 1;
        return generation * 2 ** 32;
      }
    },
    async close() {
      if (closed) return;
      closed = true;
      if (queue.length > 0) await new Promise<void>((resolve) => (onIdle = resolve));
      // Best effort: if another process still reads, the log stays.
      attempt(() => current?.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
      drop();
    },
  };
}

/** A savepoint that can't be undone: nothing of this transaction may be committed. */
class Broken extends Error {}

/** Whether a list's error ends the whole transaction, as a full disk or an I/O error does. */
function isLost(db: Connection, error: unknown): boolean {
  return isBusy(error) || !db.inTransaction || error instanceof Broken;
}

function runList(db: Connection, { statements, params }: Job): unknown[][] {
  // A single statement undoes itself when it fails, and has nothing to undo when its guard changed
  // no row.
  const savepoint = statements.length > 1;
  let ran = 0;
  try {
    if (savepoint) db.exec('SAVEPOINT list');
    const results = statements.map((statement, at) => {
      const { rows, changes } = db.run(statement.sql, params[at] ?? []);
      if (statement.guard !== undefined && changes === 0) throw new NothingChanged(statement.guard);
      ran += 1;
      return statement.map(rows);
    });
    if (savepoint) db.exec('RELEASE list');
    return results;
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

function sharedCount(queue: readonly Job[]): number {
  const alone = queue.findIndex((job) => job.alone);
  return Math.min(LISTS_PER_COMMIT, alone < 0 ? queue.length : alone);
}

function rejectAll(jobs: readonly Job[], error: unknown): void {
  for (const job of jobs) job.reject(error);
}

function jitter(): number {
  return RETRY_MS.least + Math.random() * (RETRY_MS.most - RETRY_MS.least);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, jitter()));
}

function attempt(effort: () => unknown): void {
  try {
    effort();
  } catch {
    // The original error is being reported already.
  }
}
