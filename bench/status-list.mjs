/**
 * Making a status list of 2^20 sessions of which some have just ended: the whole of it, and what of
 * it the event loop is busy with. The program's own code, bundled on the fly, since Node 20 runs no
 * TypeScript.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createSecretKey } from 'node:crypto';
import { build } from 'esbuild';
import { median } from './bars.mjs';
import { answerJobs } from './jobs.mjs';

const SESSIONS = 2 ** 20;
const TRIES = 9;

const root = fileURLToPath(new URL('..', import.meta.url));
// Inside the checkout, so that the bundle finds its dependencies.
const bundle = mkdtempSync(join(root, 'node_modules', '.bench-status-list-'));
process.on('exit', () => rmSync(bundle, { recursive: true, force: true }));
await build({
  stdin: {
    contents: `export { compressStatusList } from './src/core/token/status-list.ts'; export { statusPlaces } from './src/core/token/status-index.ts';`,
    resolveDir: root,
    loader: 'ts',
  },
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  outfile: join(bundle, 'list.mjs'),
});
const { compressStatusList, statusPlaces } = await import(
  pathToFileURL(join(bundle, 'list.mjs')).href
);
const place = statusPlaces(createSecretKey(Buffer.alloc(32, 7)));

/** The places of so many sessions, evenly over those that began. @param {number} ended */
function* places(ended) {
  for (let n = 0; n < ended; n++) yield place(Math.floor((n * SESSIONS) / ended)).index;
}

/** @param {number} ended sessions */
async function make(ended) {
  /** @type {number[]} */
  const all = [];
  /** @type {number[]} */
  const busy = [];
  for (let i = 0; i < TRIES; i++) {
    const before = performance.eventLoopUtilization();
    const start = performance.now();
    await compressStatusList(places(ended));
    all.push(performance.now() - start);
    busy.push(performance.eventLoopUtilization(before).active);
  }
  return { ms: median(all), busyMs: median(busy) };
}

await make(SESSIONS / 1_000);
answerJobs(async () => ({
  few: await make(Math.round(SESSIONS / 1_000)),
  many: await make(Math.round(SESSIONS / 100)),
}));
