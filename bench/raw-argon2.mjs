/**
 * What hashing is measured against: the bare library in a closed loop, on as many threads as the
 * service has lanes, at the same cost and niceness, so that whatever else runs on the machine takes
 * as much from either. Parent and threads of one file.
 */
import { availableParallelism, setPriority } from 'node:os';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { hashRawSync } from '@node-rs/argon2';
import { COST } from './argon2-cost.mjs';
import { answerJobs } from './jobs.mjs';

/** As in src/crypto/hash-lane.mjs. */
const NICENESS = 10;

if (!isMainThread) {
  if (process.platform === 'linux') setPriority(0, NICENESS);
  const options = { ...COST, algorithm: 2, outputLen: 32, salt: Buffer.alloc(16, 7) };
  parentPort?.on('message', (/** @type {number} */ ms) => {
    const start = performance.now();
    let count = 0;
    while (performance.now() < start + ms) {
      hashRawSync('correct horse battery staple', options);
      count++;
    }
    parentPort?.postMessage({ count, perSecond: (count / (performance.now() - start)) * 1000 });
  });
} else {
  const workers = Array.from(
    { length: availableParallelism() },
    () => new Worker(new URL(import.meta.url)),
  );
  answerJobs(async (/** @type {{ ms: number }} */ { ms }) => {
    /** @type {{ count: number, perSecond: number }[]} */
    const done = await Promise.all(
      workers.map(
        (worker) =>
          new Promise((resolve, reject) => {
            worker.removeAllListeners('error').once('error', reject);
            worker.once('message', resolve);
            worker.postMessage(ms);
          }),
      ),
    );
    return {
      count: done.reduce((sum, { count }) => sum + count, 0),
      perSecond: done.reduce((sum, { perSecond }) => sum + perSecond, 0),
    };
  });
}
