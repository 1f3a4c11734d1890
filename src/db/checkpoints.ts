/**
 * Checkpoints off the event loop. The thread starts when there are pages to move, and ends after a
 * time without writes. When the log grows faster than it is moved, commits wait for one whole
 * checkpoint, after which SQLite restarts the log.
 */
import { Worker } from 'node:worker_threads';
import { workerEnvironment } from '../lib/worker-environment.ts';

export interface CheckpointReply {
  /** Number of pages in the log, and how many of them are already in the database file. */
  readonly log: number;
  readonly moved: number;
  readonly error: string | null;
}

export interface Checkpoints {
  /** Records how many rows a commit changed. */
  committed(changes: number): void;
  /** Whether commits have to wait for a checkpoint. */
  readonly isBlocking: boolean;
  /** Ends the thread. */
  close(): Promise<void>;
}

export interface CheckpointOptions {
  readonly path: string;
  readonly encryptionKey: string | undefined;
  readonly laneUrl: URL;
  /** Called when commits need not wait any more. */
  readonly onUnblocked: () => void;
  /** Moves the pages on the event loop, if the thread can't. */
  readonly moveHere: () => void;
}

/** Number of changed rows after which pages are moved: each touches a few pages. */
const CHANGES = 500;
/** Pages in the log, 4 KiB each, at which commits wait. */
const MOST_PAGES = 16_384;
/** A thread without work for this long ends. */
const IDLE_MS = 10_000;

export function createCheckpoints(options: CheckpointOptions): Checkpoints {
  const { path, encryptionKey, laneUrl } = options;
  let worker: Worker | undefined;
  let changes = 0;
  let isRunning = false;
  let isBlocking = false;
  let isClosed = false;
  let idle: NodeJS.Timeout | undefined;

  const end = async (): Promise<void> => {
    clearTimeout(idle);
    const ending = worker;
    worker = undefined;
    if (ending === undefined) return;
    const exited = new Promise<void>((resolve) => ending.once('exit', () => resolve()));
    ending.postMessage('close');
    await exited;
  };

  const unblock = (): void => {
    if (!isBlocking) return;
    isBlocking = false;
    options.onUnblocked();
  };

  const fail = (): void => {
    worker = undefined;
    isRunning = false;
    if (isClosed) return;
    options.moveHere();
    unblock();
  };

  const done = ({ log, moved, error }: CheckpointReply): void => {
    isRunning = false;
    if (isClosed) return;
    if (error !== null) options.moveHere();
    const isWhole = log === moved;
    // One checkpoint without commits suffices, unless a reader in another process prevents it.
    if (isBlocking) return unblock();
    if (!isWhole && log > MOST_PAGES) {
      isBlocking = true;
      return run();
    }
    if (changes >= CHANGES) run();
  };

  const start = (): Worker => {
    const started = new Worker(laneUrl, {
      env: workerEnvironment(),
      workerData: { path, encryptionKey },
    });
    started.on('message', done);
    started.on('error', fail);
    started.unref();
    return started;
  };

  function run(): void {
    changes = 0;
    isRunning = true;
    worker ??= start();
    worker.postMessage('checkpoint');
    clearTimeout(idle);
    idle = setTimeout(() => void end(), IDLE_MS).unref();
  }

  return {
    committed: (count) => {
      changes += count;
      if (!isRunning && !isClosed && changes >= CHANGES) run();
    },
    get isBlocking() {
      return isBlocking;
    },
    close: async () => {
      isClosed = true;
      await end();
    },
  };
}
