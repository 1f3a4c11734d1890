/**
 * Worker threads for hashing: at most one per core, each computing synchronously at low priority.
 * They are separate from the libuv pool, where argon2 would delay signing, files and name resolution,
 * and they bound memory to lanes × cost. A lane takes 13 MB and 50 ms to start, so it is started when
 * there is work for it, and ends when there was none for a while.
 */
import { Worker } from 'node:worker_threads';
import { workerEnvironment } from '../lib/worker-environment.ts';
import type { SlowHash } from './foreign-hash.ts';
import type { Argon2Cost } from './phc.ts';
import type { InnerDigest } from './wrapped-hash.ts';

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
  /** `check` is of this hash of the password; null for the password itself. */
  inner: InnerDigest | null;
  /** Compare with a hash of another system; `check` is null then. */
  foreign: SlowHash | null;
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
  /** Largest number of worker threads. */
  threads: number;
  laneUrl: URL;
  /** A lane without work for this long ends, in milliseconds. Default: 30 s. */
  idleMs?: number;
  /** Called whenever a lane becomes free. */
  onFree: () => void;
}

export interface Lanes {
  /** Lanes that compute. */
  readonly running: number;
  /** Lanes that compute or wait for work. */
  readonly started: number;
  /** Whether a job would be computed at once. */
  readonly hasFree: boolean;
  /**
   * Runs jobs on one free lane, in order, and resolves when the last is done; a job that failed
   * says so in its reply. Rejects if no lane is free or the lane dies.
   */
  run(jobs: readonly LaneJob[]): Promise<readonly LaneReply[]>;
  /**
   * Starts lanes until this many run, and resolves once they have loaded; rejects if one can't (a
   * broken installation).
   */
  ready(count: number): Promise<void>;
  /** Waits for running jobs, then ends the threads. */
  close(): Promise<void>;
}

/**
 * Delay before replacing a lane that died while loading, in milliseconds: it would probably die
 * again.
 */
const RESPAWN_DELAY_MS = 1_000;
/** Without idle lanes, infrequent sign-ins would each wait for a thread to start. */
const IDLE_MS = 30_000;

interface Running {
  resolve: (replies: readonly LaneReply[]) => void;
  reject: (error: Error) => void;
}

interface Lane {
  worker: Worker;
  isReady: boolean;
  running: Running | undefined;
  /** The error that killed it, if known. */
  fault: unknown;
  /** Ends it while it has no work. */
  idle: NodeJS.Timeout | undefined;
  readonly loading: PromiseWithResolvers;
}

/** As ES2024 has it; Node 20 has not. */
interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve = (): void => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<void>((done, fail) => {
    resolve = done;
    reject = fail;
  });
  // Without a listener this would become an unhandled rejection.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
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

/** Starts no lane: {@link Lanes.run} and {@link Lanes.ready} do. */
export function createLanes(options: LanesOptions): Lanes {
  const { threads, laneUrl, idleMs = IDLE_MS, onFree } = options;
  const lanes = new Set<Lane>();
  const idle: Lane[] = [];
  const drained: (() => void)[] = [];
  let isClosing = false;
  let running = 0;
  /** Slots of lanes that died while loading, which stay empty for a while. */
  let closedPlaces = 0;

  const hasPlace = (): boolean => !isClosing && lanes.size + closedPlaces < threads;

  function spawn(): Lane {
    const worker = new Worker(laneUrl, {
      name: 'hash-lane',
      execArgv: [],
      env: workerEnvironment(),
      // A lane needs little heap.
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    const lane: Lane = {
      worker,
      isReady: false,
      running: undefined,
      fault: undefined,
      idle: undefined,
      loading: withResolvers(),
    };
    // Idle lanes don't keep the process alive; a running job does (see run), so that a CLI verb
    // gets its hash.
    worker.unref();
    worker.on('message', (message: LaneReply[] | 'ready') => {
      if (message !== 'ready') return finish(lane, message);
      lane.isReady = true;
      lane.loading.resolve();
    });
    worker.on('error', (error) => (lane.fault = error));
    worker.on('exit', (code) => bury(lane, code));
    lanes.add(lane);
    return lane;
  }

  function rest(lane: Lane): void {
    idle.push(lane);
    lane.idle = setTimeout(() => {
      takeIdle(lane);
      lanes.delete(lane);
      void lane.worker.terminate();
    }, idleMs).unref();
  }

  /** The given lane, or the one used last, so that the others become idle and end. */
  function takeIdle(wanted?: Lane): Lane | undefined {
    const at = wanted === undefined ? idle.length - 1 : idle.indexOf(wanted);
    const [lane] = at < 0 ? [] : idle.splice(at, 1);
    clearTimeout(lane?.idle);
    return lane;
  }

  function finish(lane: Lane, replies: readonly LaneReply[]): void {
    const work = release(lane);
    lane.worker.unref();
    rest(lane);
    work?.resolve(replies);
    onFree();
  }

  function bury(lane: Lane, code: number): void {
    // A lane that was ended is no longer in the list.
    if (!lanes.delete(lane)) return;
    takeIdle(lane);
    const error = new Error(`a hash lane died (exit ${code})`, { cause: lane.fault });
    lane.loading.reject(error);
    release(lane)?.reject(error);
    if (isClosing) return;
    if (lane.isReady) return onFree();
    closedPlaces += 1;
    setTimeout(() => {
      closedPlaces -= 1;
      onFree();
    }, RESPAWN_DELAY_MS).unref();
  }

  function release(lane: Lane): Running | undefined {
    const work = lane.running;
    lane.running = undefined;
    if (work !== undefined && --running === 0) for (const resolve of drained.splice(0)) resolve();
    return work;
  }

  return {
    get running() {
      return running;
    },

    get started() {
      return lanes.size;
    },

    get hasFree() {
      return idle.length > 0 || hasPlace();
    },

    run(jobs) {
      const lane = takeIdle() ?? (hasPlace() ? spawn() : undefined);
      if (lane === undefined) return Promise.reject(new Error('no hash lane is free'));
      running += 1;
      lane.worker.ref();
      return new Promise((resolve, reject) => {
        lane.running = { resolve, reject };
        lane.worker.postMessage(jobs);
      });
    },

    async ready(count) {
      while (lanes.size < count && hasPlace()) rest(spawn());
      await Promise.all([...lanes].map(({ loading }) => loading.promise));
    },

    async close() {
      isClosing = true;
      if (running > 0) await new Promise<void>((resolve) => drained.push(resolve));
      for (const { idle } of lanes) clearTimeout(idle);
      await Promise.all([...lanes].map(({ worker }) => worker.terminate()));
    },
  };
}
