/**
 * Worker threads for hashing: one per core, each computing synchronously at low priority. They are
 * separate from the libuv pool, where argon2 would delay signing, files and name resolution, and
 * they bound memory to lanes × cost.
 */
import { Worker } from 'node:worker_threads';
import { workerEnvironment } from '../lib/worker-environment.ts';
import type { Argon2Cost } from './phc.ts';

/** One argon2id computation. */
export interface Argon2Input extends Argon2Cost {
  salt: Uint8Array;
  /** argon2's secret input (the pepper), or null. */
  secret: Uint8Array | null;
  /** Output length in bytes. */
  length: number;
}

/** The message to a lane. */
export interface LaneJob {
  password: string;
  /** Compare with a stored hash. */
  check: (Argon2Input & { expected: Uint8Array }) | null;
  /** Compute a hash: at once if there is nothing to check, otherwise only after a match. */
  make: Argon2Input | null;
  /** Work to do after a mismatch, only to take the same time. */
  pad: Argon2Input | null;
}

export interface LaneReply {
  ok: boolean;
  made: Uint8Array | null;
  /** Why the computation failed, or null. */
  error: string | null;
}

export interface LanesOptions {
  /** Number of worker threads. */
  threads: number;
  laneUrl: URL;
  /** Called whenever a lane becomes free. */
  onFree: () => void;
}

export interface Lanes {
  readonly running: number;
  readonly hasFree: boolean;
  /**
   * Runs jobs on one free lane, in order, and resolves when the last is done; a job that failed
   * says so in its reply. Rejects if no lane is free or the lane dies.
   */
  run(jobs: readonly LaneJob[]): Promise<readonly LaneReply[]>;
  /** Resolves once every lane has loaded; rejects if one can't load (a broken installation). */
  ready(): Promise<void>;
  /** Waits for running jobs, then ends the threads. */
  close(): Promise<void>;
}

/**
 * Delay before replacing a lane that died while loading, in milliseconds: it would probably die
 * again.
 */
const RESPAWN_DELAY_MS = 1_000;

interface Running {
  resolve: (replies: readonly LaneReply[]) => void;
  reject: (error: Error) => void;
}

interface Lane {
  worker: Worker;
  isReady: boolean;
  running: Running | undefined;
  /** The error that it died of, if known. */
  fault: unknown;
}

/** Each further job in a batch needs this many more jobs waiting per lane. */
const WAITING_PER_EXTRA = 6;
const MAX_HANDFUL = 4;
/** Longest time for a batch, in milliseconds: at a high cost each hash is returned by itself. */
const MAX_HANDFUL_MS = 60;

/**
 * How many jobs a lane is given at once. More than one only when so many wait that the extra delay
 * is small against the total wait; the event loop then wakes, commits and answers once for the
 * batch.
 *
 * @param waiting jobs waiting per lane
 * @param usualMs usual duration of a job
 */
export function handful(waiting: number, usualMs: number): number {
  return Math.max(
    1,
    Math.min(
      1 + Math.floor(waiting / WAITING_PER_EXTRA),
      MAX_HANDFUL,
      Math.floor(MAX_HANDFUL_MS / usualMs),
    ),
  );
}

/** Starts the lanes. */
export function createLanes(options: LanesOptions): Lanes {
  const lanes = new Set<Lane>();
  const idle: Lane[] = [];
  const drained: (() => void)[] = [];
  let isClosing = false;
  let running = 0;
  let starting = options.threads;
  let reportLoaded = (): void => undefined;
  let reportBroken: (error: Error) => void = () => undefined;
  const loaded = new Promise<void>((resolve, reject) => {
    reportLoaded = resolve;
    reportBroken = reject;
  });
  // Nobody may be listening; that must not become an unhandled rejection.
  loaded.catch(() => undefined);

  function spawn(): void {
    const worker = new Worker(options.laneUrl, {
      name: 'hash-lane',
      execArgv: [],
      env: workerEnvironment(),
      // A lane needs little heap.
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    const lane: Lane = { worker, isReady: false, running: undefined, fault: undefined };
    // Idle lanes don't keep the process alive; a running job does (see run), so that a CLI verb
    // gets its hash.
    worker.unref();
    worker.on('message', (message: LaneReply[] | 'ready') =>
      message === 'ready' ? loadedOne(lane) : finish(lane, message),
    );
    worker.on('error', (error) => (lane.fault = error));
    worker.on('exit', (code) => bury(lane, code));
    lanes.add(lane);
    idle.push(lane);
  }

  function loadedOne(lane: Lane): void {
    lane.isReady = true;
    if (--starting === 0) reportLoaded();
  }

  function finish(lane: Lane, replies: readonly LaneReply[]): void {
    const work = release(lane);
    lane.worker.unref();
    idle.push(lane);
    work?.resolve(replies);
    options.onFree();
  }

  function bury(lane: Lane, code: number): void {
    lanes.delete(lane);
    const at = idle.indexOf(lane);
    if (at >= 0) idle.splice(at, 1);
    const error = new Error(`a hash lane died (exit ${code})`, { cause: lane.fault });
    if (!lane.isReady) reportBroken(error);
    release(lane)?.reject(error);
    if (isClosing) return;
    if (lane.isReady) replace();
    else setTimeout(replace, RESPAWN_DELAY_MS).unref();
  }

  function replace(): void {
    if (isClosing) return;
    spawn();
    options.onFree();
  }

  function release(lane: Lane): Running | undefined {
    const work = lane.running;
    lane.running = undefined;
    if (work !== undefined && --running === 0) for (const resolve of drained.splice(0)) resolve();
    return work;
  }

  for (let n = 0; n < options.threads; n += 1) spawn();

  return {
    get running() {
      return running;
    },

    get hasFree() {
      return idle.length > 0;
    },

    run(jobs) {
      const lane = idle.pop();
      if (lane === undefined) return Promise.reject(new Error('no hash lane is free'));
      running += 1;
      lane.worker.ref();
      return new Promise((resolve, reject) => {
        lane.running = { resolve, reject };
        lane.worker.postMessage(jobs);
      });
    },

    ready: () => loaded,

    async close() {
      isClosing = true;
      if (running > 0) await new Promise<void>((resolve) => drained.push(resolve));
      await Promise.all([...lanes].map((lane) => lane.worker.terminate()));
    },
  };
}
