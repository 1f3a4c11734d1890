/**
 * The real hash lane behind a gate: while a test holds it, jobs wait in front of it. The gate's name
 * comes in the address under which it is imported, for a lane is given no data.
 */
import { BroadcastChannel, parentPort } from 'node:worker_threads';

// A lane is ended by its hasher: this need not end by itself.
const channel = new BroadcastChannel(new URL(import.meta.url).searchParams.get('gate') ?? 'gate');
let isHeld = false;
/** @type {(() => void)[]} */
const waiting = [];

channel.onmessage = (/** @type {any} */ { data }) => {
  if (data !== 'hold' && data !== 'release') return;
  isHeld = data === 'hold';
  if (!isHeld) for (const run of waiting.splice(0)) run();
  channel.postMessage('done');
};

if (parentPort !== null) {
  const on = parentPort.on.bind(parentPort);
  parentPort.on = (/** @type {string} */ event, /** @type {(jobs: any) => void} */ listener) =>
    on(event, (/** @type {unknown} */ jobs) => {
      if (isHeld) waiting.push(() => listener(jobs));
      else listener(jobs);
    });
}
await import('../../src/crypto/hash-lane.mjs');
