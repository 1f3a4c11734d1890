/**
 * One hash lane: a worker thread that does argon2id synchronously, one job after another. Plain
 * JavaScript, because Node 20 runs no TypeScript in a worker; it lies beside the bundle under this
 * name. See hash-lanes.ts for the other end.
 */
import { timingSafeEqual } from 'node:crypto';
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { hashRawSync } from '@node-rs/argon2';

/** @typedef {import('./hash-lanes.ts').LaneJob} LaneJob */
/** @typedef {import('./hash-lanes.ts').LaneReply} LaneReply */
/** @typedef {import('./hash-lanes.ts').Argon2Input} Argon2Input */

const NICENESS = 10;
/** `Algorithm.Argon2id` of the library, a const enum that does not exist at run time. */
const ARGON2ID = 2;

try {
  // Linux gives each thread its own niceness, and "process 0" is the thread that asks: the event
  // loop keeps the first call on a core while all lanes are busy. Elsewhere this would nice the
  // whole process, so it is left alone.
  if (process.platform === 'linux') setPriority(0, NICENESS);
} catch {
  // Best effort: a sandbox may forbid it, and hashing is right all the same.
}

/**
 * @param {string} password
 * @param {Argon2Input} input
 * @returns {Uint8Array}
 */
function argon2id(password, input) {
  return hashRawSync(password, {
    algorithm: ARGON2ID,
    memoryCost: input.memoryKiB,
    timeCost: input.passes,
    parallelism: input.lanes,
    outputLen: input.length,
    salt: input.salt,
    ...(input.secret === null ? {} : { secret: input.secret }),
  });
}

/**
 * @param {LaneJob} job
 * @returns {LaneReply}
 */
function run(job) {
  let ok = false;
  if (job.check !== null) {
    const hash = argon2id(job.password, job.check);
    ok = hash.length === job.check.expected.length && timingSafeEqual(hash, job.check.expected);
  }
  let made = null;
  if (job.make !== null && (ok || job.check === null))
    made = new Uint8Array(argon2id(job.password, job.make));
  else if (job.pad !== null && !ok) argon2id(job.password, job.pad);
  return { ok, made, error: null };
}

/**
 * @param {LaneJob} job
 * @returns {LaneReply}
 */
function answer(job) {
  try {
    return run(job);
  } catch (error) {
    return { ok: false, made: null, error: error instanceof Error ? error.message : 'unknown' };
  }
}

// One message for all of a handful: what costs the event loop is being woken, with its caches full
// of argon2's memory.
parentPort?.on('message', (/** @type {LaneJob[]} */ jobs) =>
  parentPort?.postMessage(jobs.map(answer)),
);
parentPort?.postMessage('ready');
