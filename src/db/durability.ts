/**
 * Which commits are on the disk. With `background`, SQLite commits without a flush, and the log file
 * is flushed on libuv's thread pool; whatever was made of a commit is held back until the flush that
 * covers it, so that no answer tells of something that a power cut could undo (T17).
 */
import { close, fdatasync, fsync, open } from 'node:fs';
import { dirname } from 'node:path';

/** `inline`: each commit waits for the disk, and the event loop with it. */
export type FlushMode = 'background' | 'inline';

export interface FlushDone {
  readonly commits: number;
  readonly durationMs: number;
}

export interface Durability {
  /** Notes a commit of these statements. */
  committed(texts: readonly string[]): void;
  /** Whether what this statement has read could still be undone by a power cut. */
  isPending(text: string): boolean;
  /** Calls back when everything that is committed now is on the disk; at once if it is. */
  whenFlushed(settle: (error: unknown) => void): void;
  /** The log file may be another one from now on. */
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

/** Stands for every table: of a statement whose effect on others can't be read from its text. */
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
  /** Texts come from the program, so that their number is bounded. */
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
      // After a failed flush too: those who wait are told that it failed.
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
 * Opens the log, and flushes its folder once: SQLite would do that with its own first flush. SQLite
 * holds no lock on the log, so that closing it again releases none.
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

/** Tables of a statement's text, in whatever role. */
const TABLES = /\b(?:from|join|into|update)\s+"?([a-z_]\w*)"?/gi;

/** Deleting a user takes rows of other tables along. */
const CASCADES = /^\s*delete\s+from\s+"?user"?\b/i;

/** The tables that a statement reads or writes; `*` where others may follow. */
function tablesIn(sql: string): readonly string[] {
  const named = [...sql.matchAll(TABLES)].map(([, table = '']) => table.toLowerCase());
  return CASCADES.test(sql) || named.length === 0 ? [EVERY_TABLE] : [...new Set(named)];
}
