/**
 * Group commit: the writes of one turn of the event loop share one `BEGIN IMMEDIATE … COMMIT`, each
 * list in a savepoint of its own. The write lock is taken first, so SQLITE_BUSY can only occur there,
 * where it is harmless (T11).
 */
import type { Checkpoints } from './checkpoints.ts';
import type { Connection } from './connection.ts';
import { DatabaseBusy, StorageUnavailable } from './database.ts';
import type { Durability } from './durability.ts';
import { isBusy, isConstraint, storeError } from './sqlite-error.ts';
import { isRead } from './values.ts';
import { Broken, isLost, runList } from './write-list.ts';
import type { ListResult, WriteList } from './write-list.ts';

/** Maximum number of lists in one commit: the event loop is blocked for all of it. */
const LISTS_PER_COMMIT = 256;

export interface Commit {
  readonly lists: number;
  readonly statements: number;
  /** Called for each transaction; its flush may come later. */
  readonly durationMs: number;
}

export interface CommitQueue {
  /** @param patienceMs how long the list may wait to share a commit with later ones */
  push(list: WriteList, patienceMs: number): void;
  /** Continues after commits had to wait for a checkpoint. */
  resume(): void;
  /** Resolves when no list waits for its commit. */
  idle(): Promise<void>;
}

export interface CommitQueueOptions {
  /** @throws SQLite's error */
  readonly connection: () => Connection;
  /** After an error with unknown effect on the connection. */
  readonly drop: () => void;
  readonly busyTimeoutMs: number;
  readonly monotonic: () => number;
  /** Milliseconds until the next attempt to get a lock. */
  readonly jitter: () => number;
  readonly durability: Durability;
  readonly checkpoints: Checkpoints;
  readonly onCommit?: ((commit: Commit) => void) | undefined;
  /** Called each time that the disk or a lock refuses a write, and after each successful write. */
  readonly onLost: (cause: unknown) => void;
  readonly onWritten: () => void;
}

interface Job extends WriteList {
  /** It gets a commit of its own, because a shared commit failed. */
  readonly alone: boolean;
}

/** The lists of a transaction before its end. */
interface Ran {
  readonly done: { readonly job: Job; readonly result: ListResult }[];
  readonly refused: Failed[];
}

interface Failed {
  readonly job: Job;
  readonly error: unknown;
}

export function createCommitQueue(options: CommitQueueOptions): CommitQueue {
  const { connection, drop, busyTimeoutMs, monotonic, jitter, durability, checkpoints } = options;
  let queue: Job[] = [];
  let waitingSince: number | undefined;
  let scheduled = false;
  let onIdle: (() => void) | undefined;
  /** Fires when the lists that wait for a shared commit have waited long enough. */
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
    if (checkpoints.isBlocking) return;
    commit(queue.splice(0, queue[0]?.alone === true ? 1 : sharedCount(queue)));
    if (queue.length > 0) {
      if (waitingSince === undefined) schedule();
    } else {
      onIdle?.();
    }
  }

  function refuse(jobs: readonly Job[], error: unknown): void {
    const told = storeError(error);
    if (told instanceof StorageUnavailable) options.onLost(error);
    for (const job of jobs) job.reject(told);
  }

  function waitForLock(jobs: readonly Job[], cause: unknown): void {
    requeue(jobs);
    const now = monotonic();
    waitingSince ??= now;
    if (now - waitingSince >= busyTimeoutMs) {
      waitingSince = undefined;
      const late = queue;
      queue = [];
      options.onLost(cause);
      for (const job of late)
        job.reject(new DatabaseBusy('another process holds the write lock', { cause }));
      return;
    }
    scheduled = true;
    setTimeout(flush, jitter());
  }

  function commit(jobs: readonly Job[]): void {
    if (jobs.length === 0) return;
    const started = monotonic();
    const db = begin(jobs);
    if (db === undefined) return;
    const ran = runLists(db, jobs);
    if (ran === undefined || !end(db, jobs, ran)) return;
    const { done, refused } = ran;
    waitingSince = undefined;
    const isWritten = noteChanges(done);
    durability.whenFlushed((failed) => {
      // The error of a list, such as a UNIQUE violation, may depend on rows that are not flushed
      // yet.
      if (failed !== null) return refuse(jobs, failed);
      if (isWritten) options.onWritten();
      for (const { job, error } of refused) job.reject(storeError(error));
      for (const { job, result } of done) job.resolve(result.rows);
    });
    if (done.length === 0) return;
    const statements = done.reduce((sum, { job }) => sum + job.statements.length, 0);
    options.onCommit?.({ lists: done.length, statements, durationMs: monotonic() - started });
  }

  /** Whether anything was written. */
  function noteChanges(done: Ran['done']): boolean {
    const changes = done.reduce((sum, { result }) => sum + result.changes, 0);
    if (changes === 0) return false;
    const written = done
      .filter(({ result }) => result.changes > 0)
      .flatMap(({ job }) => job.statements.filter(({ sql }) => !isRead(sql)));
    durability.committed(written.map(({ sql }) => sql));
    checkpoints.committed(changes);
    return true;
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
        refuse(jobs, error);
      }
      return undefined;
    }
  }

  /** Runs each list. Undefined when the transaction is lost: the lists wait, or were rejected. */
  function runLists(db: Connection, jobs: readonly Job[]): Ran | undefined {
    const ran: Ran = { done: [], refused: [] };
    for (const job of jobs) {
      try {
        ran.done.push({ job, result: runList(db, job) });
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
    refuse([job], error instanceof Broken ? error.cause : error);
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
    refuse(
      done.map(({ job }) => job),
      error,
    );
  }

  return {
    push: (list, patienceMs) => {
      // Member by member: of a spread with functions in it V8 keeps each copy until a full collection.
      const { statements, params, resolve, reject } = list;
      queue.push({ statements, params, resolve, reject, alone: false });
      schedule(patienceMs);
    },
    resume: () => {
      if (queue.length > 0) schedule();
      else onIdle?.();
    },
    idle: async () => {
      if (queue.length > 0) await new Promise<void>((resolve) => (onIdle = resolve));
    },
  };
}

function sharedCount(queue: readonly Job[]): number {
  const alone = queue.findIndex((job) => job.alone);
  return Math.min(LISTS_PER_COMMIT, alone < 0 ? queue.length : alone);
}
