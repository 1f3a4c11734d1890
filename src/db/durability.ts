/**
 * Which commits are durable. With `background`, SQLite commits without a flush, and the log file is
 * flushed on libuv's thread pool; results are held back until the flush that covers them, so that
 * an answer never depends on data that a power cut could undo (T17).
 */
import { close, fdatasync, fsync, open } from 'node:fs';
import { dirname } from 'node:path';

/** `inline`: each commit blocks the event loop until it is flushed. */
export type FlushMode = 'background' | 'inline';

export interface FlushDone {
  readonly commits: number;
  readonly durationMs: number;
}

export interface Durability {
  /** Records a commit of these statements. */
  committed(texts: readonly string[]): void;
  /** Whether a power cut could still undo data that this statement has read. */
  isPending(text: string): boolean;
  /** Calls back when everything committed so far is durable; synchronously if it already is. */
  whenFlushed(settle: (error: unknown) => void): void;
  /** SQLite may have replaced the log file. */
  reopen(): void;
  /** Waits for running flushes. */
  close(): Promise<void>;
}

export interface DurabilityOptions {
  readonly path: string;
  readonly mode: FlushMode;
  readonly monotonic: () => number;
  readonly onFlush?: ((flush: FlushDone) => void) | undefined;
}

interface Waiting {
  readonly commit: number;
  readonly settle: (error: unknown) => void;
}

/** Means every table: for a statement whose affected tables can't be determined from its text. */
const EVERY_TABLE = '*';

const INLINE: Durability = {
  committed: () => undefined,
  isPending: () => false,
  whenFlushed: (settle) => settle(null),
  reopen: () => undefined,
  close: async () => undefined,
};

export function createDurability(options: DurabilityOptions): Durability {
  return options.mode === 'inline' ? INLINE : backgroundFlush(options);
}

function backgroundFlush({ path, monotonic, onFlush }: DurabilityOptions): Durability {
  let descriptor: number | undefined;
  let committed = 0;
  let flushed = 0;
  let isFlushing = false;
  let waiting: Waiting[] = [];
  let onIdle: (() => void) | undefined;
  const lastCommitOf = new Map<string, number>();
  /** SQL texts come from the program, so their number is bounded. */
  const tablesByText = new Map<string, readonly string[]>();
  const tablesOf = (text: string): readonly string[] => {
    const known = tablesByText.get(text) ?? tablesIn(text);
    tablesByText.set(text, known);
    return known;
  };

  const begin = (): void => {
    if (isFlushing || flushed === committed) return;
    isFlushing = true;
    const target = committed;
    const started = monotonic();
    flush((error) => {
      isFlushing = false;
      if (error === null) {
        onFlush?.({ commits: target - flushed, durationMs: monotonic() - started });
      }
      // Also after a failed flush: the waiting calls get its error.
      flushed = target;
      const covered = waiting.filter(({ commit }) => commit <= target);
      waiting = waiting.filter(({ commit }) => commit > target);
      for (const { settle } of covered) settle(error);
      begin();
      if (!isFlushing) onIdle?.();
    });
  };

  const flush = (done: (error: unknown) => void): void => {
    if (descriptor !== undefined) {
      fdatasync(descriptor, done);
      return;
    }
    openLog(path, (error, opened) => {
      if (opened === undefined) return done(error);
      descriptor = opened;
      fdatasync(opened, done);
    });
  };

  return {
    committed: (texts) => {
      committed++;
      for (const text of texts) {
        for (const table of tablesOf(text)) lastCommitOf.set(table, committed);
      }
    },
    isPending: (text) => {
      if (flushed === committed) return false;
      const tables = tablesOf(text);
      return (
        tables.includes(EVERY_TABLE) ||
        [EVERY_TABLE, ...tables].some((table) => (lastCommitOf.get(table) ?? 0) > flushed)
      );
    },
    whenFlushed: (settle) => {
      if (flushed === committed) return settle(null);
      waiting.push({ commit: committed, settle });
      begin();
    },
    reopen: () => {
      if (descriptor !== undefined) close(descriptor, () => undefined);
      descriptor = undefined;
    },
    close: async () => {
      begin();
      if (isFlushing) await new Promise<void>((resolve) => (onIdle = resolve));
      if (descriptor !== undefined) close(descriptor, () => undefined);
      descriptor = undefined;
    },
  };
}

/**
 * Opens the log, and flushes its folder once, as SQLite would with its own first flush. SQLite
 * holds no lock on the log, so closing it releases none.
 */
function openLog(path: string, done: (error: unknown, descriptor?: number) => void): void {
  open(`${path}-wal`, 'r+', (error, log) => {
    if (error !== null) return done(error);
    open(dirname(path), 'r', (failed, folder) => {
      if (failed !== null) return done(failed);
      fsync(folder, (unflushed) => {
        close(folder, () => undefined);
        if (unflushed === null) done(null, log);
        else done(unflushed);
      });
    });
  });
}

/** The tables in a statement's text, in any role. */
const TABLES = /\b(?:from|join|into|update)\s+"?([a-z_]\w*)"?/gi;

/** Deleting a user deletes rows of other tables too. */
const CASCADES = /^\s*delete\s+from\s+"?user"?\b/i;

/** The tables that a statement reads or writes; `*` if others may be affected. */
function tablesIn(sql: string): readonly string[] {
  const named = [...sql.matchAll(TABLES)].map(([, table = '']) => table.toLowerCase());
  return CASCADES.test(sql) || named.length === 0 ? [EVERY_TABLE] : [...new Set(named)];
}
