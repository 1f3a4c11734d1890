/**
 * `npm run bench`: measures every bar of this project in one run, the variants in turn, so that a
 * slow spell of the machine touches both sides of a ratio; prints the machine and a Markdown table,
 * and exits with 1 when a bar that must hold doesn't, measured twice.
 *
 * node bench/run.mjs [--with-better-auth] [--rounds 5] [--only
 * http,hashing,writes,verifier,start,better-auth] [--program dist/postern.mjs]
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { addSamples, failed, median, table } from './bars.mjs';
import { installBetterAuth } from './better-auth.mjs';
import { CORES } from './jobs.mjs';
import { describeMachine } from './machine.mjs';
import { closeBench, createBench } from './rounds.mjs';

const { values: options } = parseArgs({
  options: {
    'with-better-auth': { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    program: { type: 'string', default: 'dist/postern.mjs' },
  },
});
const rounds = Number(options.rounds);
const withBetterAuth =
  options['with-better-auth'] || options.only?.includes('better-auth') === true;
const groups = (
  options.only?.split(',') ?? ['http', 'hashing', 'writes', 'verifier', 'start']
).concat(withBetterAuth && options.only === undefined ? ['better-auth'] : []);
const note = (/** @type {string} */ line) => process.stderr.write(`${line}\n`);

if (CORES.length === 0) note('there is no /proc here: processor time and memory are not measured');
if (withBetterAuth) installBetterAuth();

const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
  process.on(signal, () => process.exit(130));

const machine = describeMachine(folder);
mkdirSync(join(folder, 'service'));
const bench = await createBench({ folder, program: options.program, groups });
/** @type {Map<string, number[]>} */
const samples = new Map();
/** @type {Map<string, number[]>} */
const details = new Map();
const repeated = new Set();
try {
  note('warming up');
  await bench.warmUp();
  for (let round = 1; round <= rounds; round++) {
    note(`round ${round} of ${rounds}`);
    for (const group of groups) await measure(group, samples);
  }
  for (const group of new Set(failed(samples).map((bar) => bar.group))) {
    note(`again, for it did not hold: ${group}`);
    /** @type {Map<string, number[]>} */
    const again = new Map();
    for (let round = 1; round <= rounds; round++) await measure(group, again);
    for (const { id } of failed(samples)) {
      const second = again.get(id);
      if (second === undefined) continue;
      samples.set(id, second);
      repeated.add(id);
    }
  }
} finally {
  await closeBench(bench);
}

/** @param {string} group @param {Map<string, number[]>} into */
async function measure(group, into) {
  const { bars, detail } = await bench.round(group);
  addSamples(into, bars);
  addSamples(details, detail);
}

const value = (/** @type {string} */ id) => median(details.get(id) ?? []);
const number = (/** @type {number} */ n, /** @type {number} */ digits) =>
  Number.isNaN(n) ? '' : n.toFixed(digits);
const loads = [...details.keys()]
  .filter((id) => id.endsWith('.perSecond'))
  .map((id) => id.slice(0, -'.perSecond'.length));
console.log(`\n${table(samples, repeated)}\n`);
console.log(
  '| request | per second | server CPU, µs a request | hello’s CPU / its CPU | client busy |\n| --- | --- | --- | --- | --- |',
);
for (const load of loads) {
  const [cpu, busy] = [value(`${load}.cpu`), value(`${load}.client`)];
  console.log(
    `| ${load} | ${value(`${load}.perSecond`).toFixed(0)} | ${number(cpu, 1)} | ${cpu < 1000 ? number(value('hello.cpu') / cpu, 2) : ''} | ${Number.isNaN(busy) ? '' : `${(busy * 100).toFixed(0)} %`} |`,
  );
  if (busy > 0.9) note(`the client was the limit of ${load}: its figure is too low`);
}
const others = [...details.keys()].filter((id) => !/\.(?:perSecond|cpu|client)$/.test(id));
console.log(`\n${others.map((id) => `- ${id}: ${value(id).toFixed(1)}`).join('\n')}\n${machine}`);
console.log(
  '- the client is busy by what a request cost it while it could still sleep; while figures are taken on a core of its own it never sleeps, for waking it would be the server’s work',
);
console.log(
  '- default configuration, one log line a request, written to a file in memory; hello logs nothing',
);
if (!withBetterAuth)
  console.log(
    '- the comparison with better-auth: npm run bench -- --with-better-auth (installs it in bench/better-auth)',
  );
process.exitCode = failed(samples).length > 0 ? 1 : 0;
