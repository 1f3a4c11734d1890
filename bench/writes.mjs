/**
 * Durable writes of the program's own database: one after another, and 64 in flight, which share
 * commits. It is bundled on the fly, since Node 20 runs no TypeScript. The table is the bench's
 * own, so that no rule of the service's is in the way.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { answerJobs } from './jobs.mjs';

const IN_FLIGHT = 64;
const root = fileURLToPath(new URL('..', import.meta.url));
const [folder = '.'] = process.argv.slice(2);

// Inside the checkout, so that the bundle finds the native binding.
const bundle = mkdtempSync(join(root, 'node_modules', '.bench-writes-'));
process.on('exit', () => rmSync(bundle, { recursive: true, force: true }));
await build({
  stdin: {
    contents: `export { openDatabase } from './src/db/open.ts'; export { raw } from './src/db/prepare.ts';`,
    resolveDir: root,
    loader: 'ts',
  },
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  outfile: join(bundle, 'db.mjs'),
});
const { openDatabase, raw } = await import(pathToFileURL(join(bundle, 'db.mjs')).href);

const migrations = [
  {
    tag: '0000_bench',
    checksum: 'bench',
    sql: ['CREATE TABLE entry (id INTEGER PRIMARY KEY, content TEXT NOT NULL) STRICT'],
  },
];
const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const db = await openDatabase({
  url: join(folder, 'writes.db'),
  busyTimeoutMs: 5000,
  clock,
  migrations,
});
await db.migrate();
const insert = raw('INSERT INTO entry (content) VALUES (:content)', []);

/**
 * Lists written in a second.
 *
 * @param {number} inFlight
 * @param {number} ms
 */
async function rate(inFlight, ms) {
  const start = performance.now();
  let count = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() < start + ms) {
        await db.write([insert({ content: '0123456789abcdef0123456789abcdef' })]);
        count++;
      }
    }),
  );
  return (count / (performance.now() - start)) * 1000;
}

answerJobs(async (/** @type {{ ms: number }} */ { ms }) => {
  // Single before and after, for the disk changes its mind within a second.
  const before = await rate(1, ms / 2);
  const grouped = await rate(IN_FLIGHT, ms);
  const after = await rate(1, ms / 2);
  return { single: (before + after) / 2, grouped };
});
