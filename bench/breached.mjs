/**
 * A filter of a million made-up hashes: its size, how often a stranger is taken for a member, and
 * what a look-up costs. `node bench/breached.mjs` prints the line that README quotes.
 */
import { createHash, randomBytes } from 'node:crypto';
import { build } from 'esbuild';

const COUNT = 1_000_000;
const STRANGERS = 5_000_000;

const bundle = await build({
  entryPoints: ['src/features/password/fuse-filter.ts'],
  bundle: true,
  platform: 'node',
  format: 'esm',
  write: false,
  logLevel: 'error',
});
const code = bundle.outputFiles[0]?.text ?? '';
const { writeFilter, readFilter } = await import(
  `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`
);

const keys = new Uint32Array(randomBytes(8 * COUNT).buffer.slice(0));
const started = performance.now();
const bytes = Buffer.concat(writeFilter(0, COUNT, [keys]));
const builtMs = performance.now() - started;
const filter = readFilter(bytes);
for (let i = 0; i < COUNT; i++)
  if (!filter.has(keys[2 * i] ?? 0, keys[2 * i + 1] ?? 0)) throw new Error('a member was missed');

const strangers = new Uint32Array(randomBytes(8 * STRANGERS).buffer.slice(0));
let taken = 0;
const asked = performance.now();
for (let i = 0; i < STRANGERS; i++)
  if (filter.has(strangers[2 * i] ?? 0, strangers[2 * i + 1] ?? 0)) taken++;
const lookupNs = ((performance.now() - asked) / STRANGERS) * 1e6;

const words = Array.from({ length: 100_000 }, (_, i) => `correct horse battery ${i}`);
const hashing = performance.now();
for (const word of words) {
  const digest = createHash('sha1').update(word).digest();
  filter.has(digest.readUInt32BE(0), digest.readUInt32BE(4));
}
const passwordUs = ((performance.now() - hashing) / words.length) * 1e3;

console.log(
  `${COUNT} hashes: ${(bytes.length / 1e6).toFixed(2)} MB (${((8 * bytes.length) / COUNT).toFixed(1)} bits each), built in ${(builtMs / 1000).toFixed(1)} s; ` +
    `${taken} of ${STRANGERS} strangers taken for members (1 in ${taken === 0 ? 'more than all' : Math.round(STRANGERS / taken)}); ${lookupNs.toFixed(0)} ns a look-up, ${passwordUs.toFixed(1)} µs with the password's hash`,
);
