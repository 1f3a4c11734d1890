/**
 * The hasher under 64 in flight against a bare loop of @node-rs/argon2 on as many worker threads,
 * in turn in one run (performance.md: must hold 0.90, goal 0.97). Run: `node bench/lanes.mjs
 * [rounds] [seconds]`. TypeScript is bundled on the fly, since Node 20 runs none.
 */
import { mkdtempSync, rmSync, copyFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';

const ROUNDS = Number(process.argv[2] ?? 5);
const SECONDS = Number(process.argv[3] ?? 4);
const MUST_HOLD = 0.9;
const COST = { memoryKiB: 19456, passes: 2, lanes: 1 };
const THREADS = availableParallelism();

const root = fileURLToPath(new URL('..', import.meta.url));
// Inside the checkout, so that the lane finds node_modules.
const dir = mkdtempSync(join(root, 'node_modules', '.bench-lanes-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

await build({
  stdin: {
    contents: `export { createPasswordHasher } from './src/crypto/password-hash.ts';
      export { createSystemRandom } from './src/crypto/secret.ts';
      export { systemClock } from './src/lib/clock.ts';`,
    resolveDir: root,
    loader: 'ts',
  },
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  outfile: join(dir, 'hasher.mjs'),
});
copyFileSync(join(root, 'src/crypto/hash-lane.mjs'), join(dir, 'hash-lane.mjs'));
const { createPasswordHasher, createSystemRandom, systemClock } = await import(
  pathToFileURL(join(dir, 'hasher.mjs')).href
);

/** Hashes per second of the bare library: each thread hashes in a loop until told. */
async function raw() {
  const code = `
    const { workerData, parentPort } = require('node:worker_threads');
    const { hashRawSync } = require('@node-rs/argon2');
    const salt = Buffer.alloc(16, 7);
    const options = { algorithm: 2, memoryCost: workerData.memoryKiB, timeCost: workerData.passes, parallelism: workerData.lanes, outputLen: 32, salt };
    hashRawSync('warm up', options);
    parentPort.on('message', (ms) => {
      const end = performance.now() + ms;
      let count = 0;
      const start = performance.now();
      while (performance.now() < end) { hashRawSync('correct horse battery staple', options); count++; }
      parentPort.postMessage(count / (performance.now() - start) * 1000);
    });
    parentPort.postMessage('ready');`;
  const workers = Array.from(
    { length: THREADS },
    () => new Worker(code, { eval: true, workerData: COST }),
  );
  const next = (/** @type {Worker} */ worker) =>
    new Promise((resolve) => worker.once('message', resolve));
  await Promise.all(workers.map(next));
  const rates = workers.map(next);
  for (const worker of workers) worker.postMessage(SECONDS * 1000);
  const perSecond = (await Promise.all(rates)).reduce((sum, rate) => sum + rate, 0);
  await Promise.all(workers.map((worker) => worker.terminate()));
  return perSecond;
}

/** Verifications per second of the hasher with 64 in flight from 16 accounts. */
async function hasher() {
  const it = createPasswordHasher({
    ...COST,
    threads: 0,
    queueLength: 256,
    deadlineMs: 60_000,
    clock: systemClock,
    random: createSystemRandom(),
  });
  await it.ready();
  const stored = await it.hash('correct horse battery staple', { account: 'a', client: 'bench' });
  const start = performance.now();
  const end = start + SECONDS * 1000;
  let count = 0;
  await Promise.all(
    Array.from({ length: 64 }, async (_, n) => {
      while (performance.now() < end) {
        await it.verify(stored, 'correct horse battery staple', {
          account: `a${n % 16}`,
          client: 'bench',
        });
        count++;
      }
    }),
  );
  const perSecond = (count / (performance.now() - start)) * 1000;
  await it.close();
  return perSecond;
}

const median = (/** @type {number[]} */ values) =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
const ratios = [];
for (let round = 0; round < ROUNDS; round++) {
  // Raw before and after, so that a slow spell of the machine touches both sides.
  const before = await raw();
  const ours = await hasher();
  const after = await raw();
  const ratio = ours / ((before + after) / 2);
  ratios.push(ratio);
  console.log(
    `round ${round + 1}: raw ${before.toFixed(1)}/s, hasher ${ours.toFixed(1)}/s, raw ${after.toFixed(1)}/s, ratio ${ratio.toFixed(3)}`,
  );
}
console.log(
  `${THREADS} threads on ${cpus()[0]?.model ?? '?'}, Node ${process.version}, m=${COST.memoryKiB} t=${COST.passes} p=${COST.lanes}`,
);
console.log(
  `median ratio ${median(ratios).toFixed(3)} (must hold ${MUST_HOLD}), RSS ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB`,
);
process.exitCode = median(ratios) >= MUST_HOLD ? 0 : 1;
