/** A hash lane that dies of the passwords "die" and "throw", for the tests of what happens then; otherwise the real one. */
import { parentPort } from 'node:worker_threads';

if (parentPort !== null) {
  const on = parentPort.on.bind(parentPort);
  parentPort.on = (/** @type {string} */ event, /** @type {(job: any) => void} */ listener) =>
    on(event, (/** @type {{ password: string }} */ job) => {
      if (job.password === 'die') process.exit(7);
      if (job.password === 'throw') throw new Error('out of luck');
      listener(job);
    });
}
await import('../../src/crypto/hash-lane.mjs');
