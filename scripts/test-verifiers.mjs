/**
 * Runs every examples/verify-* and every library of test/libraries that has its tools here against
 * `postern kit serve`, and writes what came of it into docs/verify-a-token.md:
 * `npm run test:verifiers`. Exits with 1 when one does not do what is known of it.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { playKit } from './kit-run.mjs';
import { EXAMPLES, LIBRARIES, isAsKnown } from './verifiers.mjs';

const ROOT = new URL('../', import.meta.url);
const PAGE = new URL('docs/verify-a-token.md', ROOT);

const programs = [...EXAMPLES, ...LIBRARIES];
const present = programs.filter(({ needs }) => needs.isThere());
// All at first: a build takes longer than an idle connection is kept.
for (const { prepare } of present) prepare?.();

const kit = spawn(
  process.execPath,
  [fileURLToPath(new URL('dist/postern.mjs', ROOT)), 'kit', 'serve', '--port', '0'],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
process.on('exit', () => kit.kill());
/** @type {string} */
const manifest = await new Promise((resolve) =>
  createInterface({ input: kit.stdout }).once('line', resolve),
);

/** @type {(program: import('./verifiers.mjs').Program) => Promise<string>} the row of the table */
async function rowOf(program) {
  const { label, needs, readsStatusLists = false, knows = 'ES256', setting } = program;
  if (!needs.isThere()) {
    console.log(`${label}: ${needs.remedy}`);
    return `| ${label} | not run: ${needs.remedy} | ${setting} | |`;
  }
  const { passed, total, failures, skipped } = await playKit(manifest, program);
  console.log(`${label}: ${passed} of ${total}`, failures);
  if (!isAsKnown(program, failures)) {
    console.error(`${label}: known were ${JSON.stringify(program.known)}`);
    process.exitCode = 1;
  }
  const lists = readsStatusLists ? '' : `, ${skipped} not played`;
  const told = failures.length === 0 ? 'none' : failures.join('; ');
  const of = knows === 'ES256' ? `${passed} of ${total}${lists}` : 'no ES256';
  return `| ${label} | ${of} | ${setting} | ${knows === 'ES256' ? told : 'every good token'} |`;
}

/** @type {string[]} */
const rows = [];
for (const program of programs) rows.push(await rowOf(program));

const MARKS = /(<!-- kit -->\n)[\s\S]*(<!-- \/kit -->)/;
const head = '| library | passed | to be set or checked | failed |\n| --- | --- | --- | --- |';
const page = readFileSync(PAGE, 'utf8');
writeFileSync(
  PAGE,
  page.replace(MARKS, (_, from, to) => `${from}\n${head}\n${rows.join('\n')}\n\n${to}`),
);
kit.kill();
