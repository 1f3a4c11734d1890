/**
 * The worker threads that hash: as many as cores, synchronous inside, niced. They are apart from
 * the libuv pool, in which argon2 would hold up signing, files and name resolution, and they bound
 * memory: lanes × cost, whatever the load.
 */
import { Worker } from 'node:worker_threads';
import type { Argon2Cost } from './phc.ts';

/** One argon2id computation. */
export interface Argon2Input extends Argon2Cost {
  salt: Uint8Array;
  /** argon2's secret input (the pepper), or null. */
  secret: Uint8Array | null;
  /** Bytes of output. */
  length: number;
}

/** What a lane is sent. */
export interface LaneJob {
  password: string;
  /** Compare with a stored hash. */
  check: (Argon2Input & { expected: Uint8Array }) | null;
  /** Make a hash: at once if there is nothing to check, otherwise only after a match. */
  make: Argon2Input | null;
  /** Work to do after a mismatch, for its time alone. */
  pad: Argon2Input | null;
}

export interface LaneReply {
  ok: boolean;
  made: Uint8Array | null;
  /** Why the computation failed, or null. */
  error: string | null;
}

export interface LanesOptions {
  /** How many worker threads. */
  threads: number;
  laneUrl: URL;
  /** Called whenever a lane can take a job again. */
  onFree: () => void;
}

export interface Lanes {
  readonly running: number;
  readonly hasFree: boolean;
  /**
   * Runs jobs on one free lane, one after another, and answers when the last is done; a job that
   * failed says so in its reply. Rejects with an Error if no lane is free or the lane dies.
   */
  run(jobs: readonly LaneJob[]): Promise<readonly LaneReply[]>;
  /**
   * Resolves once every lane has loaded; rejects if one could not, which is a broken installation.
   */
  ready(): Promise<void>;
  /** Waits for running jobs, then ends the threads. */
  close(): Promise<void>;
}

/**
 * How long a lane that died while loading stays away, in milliseconds: it would only die again at
 * once.
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
  /** What it died of, if that was told. */
  fault: unknown;
}

/** Jobs that wait for each lane, for each one more that it is given at once. */
const WAITING_PER_EXTRA = 6;
const MAX_HANDFUL = 4;
/** Milliseconds that a lane may be away: at a high cost each hash comes back by itself. */
const MAX_HANDFUL_MS = 60;

/**
 * How many jobs a lane is given at once. One, until so many wait that being held back for its
 * neighbours is the smaller part of an answer's wait: then the event loop is woken, commits and
 * answers once for several.
 *
 * @param waiting jobs that wait for each lane
 * @param usualMs what a job takes
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
  // Whoever does not ask must not be stopped by an unhandled rejection.
  loaded.catch(() => undefined);

  function spawn(): void {
    const worker = new Worker(options.laneUrl, {
      name: 'hash-lane',
      execArgv: [],
      // Neither secrets of the environment nor much heap is needed there.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    const lane: Lane = { worker, isReady: false, running: undefined, fault: undefined };
    // Idle lanes keep no process alive; a job does (see run), so that a CLI verb gets its hash.
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
