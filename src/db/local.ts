/**
 * A local file through the synchronous `libsql` binding. Reads run at once; writes share commits
 * (commit-queue.ts). durability.ts tracks what is durable: a read of data that is not durable yet
 * waits for the flush.
 */
import type { Clock } from '../lib/clock.ts';
import { createCheckpoints } from './checkpoints.ts';
import type { Checkpoints } from './checkpoints.ts';
import { createCommitQueue } from './commit-queue.ts';
import type { Commit } from './commit-queue.ts';
import { openConnection } from './connection.ts';
import type { Connection } from './connection.ts';
import { DatabaseBusy } from './database.ts';
import type { Database, Results, SqlValue, Statement } from './database.ts';
import { createDurability } from './durability.ts';
import type { FlushDone, FlushMode } from './durability.ts';
import { prepareFile, unreadable } from './file.ts';
import { isBusy, isNotADatabase, storeError } from './sqlite-error.ts';
import { bindable, isRead } from './values.ts';

export type { Commit } from './commit-queue.ts';

/** Milliseconds between two attempts to get a lock, chosen at random in this range. */
const RETRY_MS = { least: 1, most: 12 };

export interface LocalOptions {
  /** Encrypts the file; must not be empty. */
  readonly encryptionKey?: string | undefined;
  /** How long a call may wait for another process's lock. */
  readonly busyTimeoutMs: number;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Default: `inline`. */
  readonly flush?: FlushMode;
  /** Where the checkpoint thread's program is, when it is not beside this one. */
  readonly checkpointLaneUrl?: URL;
  /** Called when writes are no longer possible, and when they are again. */
  readonly onStorage?: ((change: StorageChange) => void) | undefined;
  readonly onCommit?: ((commit: Commit) => void) | undefined;
  readonly onFlush?: ((flush: FlushDone) => void) | undefined;
}

export type StorageChange =
  | { readonly state: 'write_lost'; readonly cause: unknown }
  | { readonly state: 'write_back' };

export interface LocalDatabase extends Database {
  /** Whether the file was empty when it was opened. */
  readonly isNew: boolean;
  readonly warnings: readonly string[];
}

/** With inline flushes SQLite moves pages by itself, at every thousandth. */
const NO_CHECKPOINTS: Checkpoints = {
  committed: () => undefined,
  isBlocking: false,
  close: async () => undefined,
};

/**
 * Opens a file, creating it if needed.
 *
 * @throws {DatabaseRefused} the file can't be used as it is; nothing was changed
 */
export async function openLocal(path: string, options: LocalOptions): Promise<LocalDatabase> {
  const { encryptionKey, busyTimeoutMs, clock, flush: mode = 'inline' } = options;
  const { isNew, warnings } = prepareFile(path, encryptionKey);
  const monotonic = (): number => clock.monotonic();
  const durability = createDurability({ path, mode, monotonic, onFlush: options.onFlush });

  let current: Connection | undefined;
  /** Numbers the connections, so that change marks of different connections differ. */
  let generation = 0;
  let closed = false;
  let isLost = false;
  /**
   * Stays open and unused: while there is another connection, SQLite keeps the log and its index
   * when one is closed, and the next one can still read when the disk is full.
   */
  let anchor: Connection | undefined;
  const connection = (): Connection => {
    if (current === undefined) {
      current = openConnection(path, encryptionKey, mode);
      generation += 1;
      durability.reopen();
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

  const checkpoints: Checkpoints =
    mode === 'inline'
      ? NO_CHECKPOINTS
      : createCheckpoints({
          path,
          encryptionKey,
          laneUrl: options.checkpointLaneUrl ?? new URL('./checkpoint-lane.mjs', import.meta.url),
          onUnblocked: () => commits.resume(),
          moveHere: () => attempt(() => connection().checkpoint('PASSIVE')),
        });
  const commits = createCommitQueue({
    connection,
    drop,
    busyTimeoutMs,
    monotonic,
    jitter,
    durability,
    checkpoints,
    onCommit: options.onCommit,
    onLost: (cause) => {
      if (!isLost) options.onStorage?.({ state: 'write_lost', cause });
      isLost = true;
    },
    onWritten: () => {
      if (isLost) options.onStorage?.({ state: 'write_back' });
      isLost = false;
    },
  });

  /** The rows of a read, once all of them are durable. */
  const told = <T>(sql: string, rows: T): Promise<T> =>
    durability.isPending(sql)
      ? new Promise((resolve, reject) =>
          durability.whenFlushed((error) => (error === null ? resolve(rows) : reject(error))),
        )
      : Promise.resolve(rows);

  /** Cached for one turn of the event loop: concurrent requests share one check. */
  let markOfTurn: number | undefined;
  const readMark = (): number => {
    setImmediate(() => (markOfTurn = undefined));
    try {
      const version = connection().dataVersion();
      return generation * 2 ** 32 + version;
    } catch {
      drop();
      generation += 1;
      return generation * 2 ** 32;
    }
  };

  try {
    await patiently(connection);
    anchor = openConnection(path, encryptionKey, mode);
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
        return told(statement.sql, run());
      } catch (error) {
        return isBusy(error)
          ? patiently(run).then((rows) => told(statement.sql, rows))
          : Promise.reject(storeError(error));
      }
    },
    write<const L extends readonly Statement[]>(
      statements: L,
      patienceMs?: number,
    ): Promise<Results<L>> {
      return new Promise<unknown[][]>((resolve, reject) => {
        if (closed) throw new Error('the database is closed');
        if (statements.length === 0) return resolve([]);
        const params = statements.map((statement) => bindable(statement.params));
        commits.push({ statements, params, resolve, reject }, patienceMs ?? 0);
        // Each statement's own `map` made its rows; the compiler can't follow that through a list.
      }) as Promise<Results<L>>;
    },
    changeMark() {
      markOfTurn ??= readMark();
      return markOfTurn;
    },
    async close() {
      if (closed) return;
      closed = true;
      await commits.idle();
      await durability.close();
      await checkpoints.close();
      // Best effort: if another process still reads, the log stays.
      attempt(() => current?.checkpoint('TRUNCATE'));
      drop();
      attempt(() => anchor?.close());
    },
  };
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
