/**
 * One hash lane: a worker thread that computes hashes synchronously, one job after another. Plain
 * JavaScript, because Node 20 can't run TypeScript in a worker; the build copies it beside the
 * bundle under this name. hash-lanes.ts is the other end.
 */
import { timingSafeEqual } from 'node:crypto';
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { hashRawSync } from '@node-rs/argon2';
import { innerDigits, matchesForeign } from './foreign-lane.mjs';

/** @typedef {import('./hash-lanes.ts').LaneJob} LaneJob */
/** @typedef {import('./hash-lanes.ts').LaneReply} LaneReply */
/** @typedef {import('./hash-lanes.ts').Argon2Input} Argon2Input */

const NICENESS = 10;
/** `Algorithm.Argon2id` of the library, a const enum that does not exist at run time. */
const ARGON2ID = 2;

try {
  // On Linux each thread has its own niceness, and process id 0 means the calling thread: the event
  // loop is scheduled before busy lanes. Elsewhere this would change the whole process, so it is
  // skipped.
  if (process.platform === 'linux') setPriority(0, NICENESS);
} catch {
  // Best effort: a sandbox may forbid it; hashing works anyway.
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
 * @returns {boolean}
 */
function compare({ password, check, foreign, inner }) {
  if (foreign !== null) return matchesForeign(foreign, password);
  if (check === null) return false;
  const hash = argon2id(inner === null ? password : innerDigits(inner, password), check);
  return hash.length === check.expected.length && timingSafeEqual(hash, check.expected);
}

/**
 * @param {LaneJob} job
 * @returns {LaneReply}
 */
function run(job) {
  const compares = job.check !== null || job.foreign !== null;
  const ok = compare(job);
  let made = null;
  if (job.make !== null && (ok || !compares))
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

// One reply for the whole batch, because waking the event loop is what costs.
parentPort?.on('message', (/** @type {LaneJob[]} */ jobs) =>
  parentPort?.postMessage(jobs.map(answer)),
);
parentPort?.postMessage('ready');
