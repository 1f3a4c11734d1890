/**
 * A hash lane that dies of the passwords "die" and "throw", for the tests of what happens then;
 * otherwise the real one.
 */
import { parentPort } from 'node:worker_threads';

if (parentPort !== null) {
  const on = parentPort.on.bind(parentPort);
  parentPort.on = (/** @type {string} */ event, /** @type {(jobs: any) => void} */ listener) =>
    on(event, (/** @type {{ password: string }[]} */ jobs) => {
      if (jobs.some(({ password }) => password === 'die')) process.exit(7);
      if (jobs.some(({ password }) => password === 'throw')) throw new Error('out of luck');
      listener(jobs);
    });
}
await import('../../src/crypto/hash-lane.mjs');
