/**
 * Runs every examples/verify-* that has its tools here against `postern kit serve`, and writes what
 * came of it into docs/verify-a-token.md: `npm run test:verifiers`. Exits with 1 when one that must
 * pass everything does not.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { playKit } from './kit-run.mjs';

const ROOT = new URL('../', import.meta.url);
const PAGE = new URL('docs/verify-a-token.md', ROOT);
const folder = (/** @type {string} */ name) => fileURLToPath(new URL(`examples/${name}/`, ROOT));

/**
 * @typedef {import('./kit-run.mjs').Candidate & { label: string, tool: string, prepare?: () => void }} Listed
 * @type {readonly Listed[]}
 */
const CANDIDATES = [
  {
    label: 'JavaScript: @postern/verifier',
    folder: folder('verify-node'),
    command: ['node', 'verify.mjs'],
    readsStatusLists: true,
    tool: 'node',
  },
  {
    label: 'JavaScript: jose',
    folder: folder('verify-jose'),
    command: ['node', 'verify.mjs'],
    readsStatusLists: false,
    tool: 'node',
  },
  {
    label: 'JavaScript: jsonwebtoken, jwks-rsa',
    folder: folder('verify-jsonwebtoken'),
    command: ['node', 'verify.mjs'],
    readsStatusLists: false,
    tool: 'node',
  },
  {
    label: 'Python: PyJWT',
    folder: folder('verify-python'),
    command: ['/usr/bin/python3', 'verify.py'],
    readsStatusLists: false,
    tool: '/usr/bin/python3',
  },
  {
    label: 'Go: golang-jwt, keyfunc',
    folder: folder('verify-go'),
    command: ['./verify'],
    readsStatusLists: false,
    tool: 'go',
    prepare: () =>
      void execFileSync('go', ['build', '-o', 'verify', '.'], { cwd: folder('verify-go') }),
  },
];

/** @type {(tool: string) => boolean} */
const isThere = (tool) =>
  spawnSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' }).status === 0;

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

/** @type {string[]} */
const rows = [];
for (const candidate of CANDIDATES) {
  if (!isThere(candidate.tool)) {
    console.log(`${candidate.label}: ${candidate.tool} is not here`);
    continue;
  }
  candidate.prepare?.();
  const { passed, total, failures, skipped } = await playKit(manifest, candidate);
  console.log(`${candidate.label}: ${passed} of ${total}`, failures);
  const lists = candidate.readsStatusLists ? 'yes' : `no (${skipped} not played)`;
  const told = failures.length === 0 ? 'none' : failures.join('; ');
  rows.push(`| ${candidate.label} | ${passed} of ${total} | ${lists} | ${told} |`);
  if (candidate.readsStatusLists && failures.length > 0) process.exitCode = 1;
}

const MARKS = /(<!-- kit -->\n)[\s\S]*(<!-- \/kit -->)/;
const head = '| library | passed | reads status lists | failed |\n| --- | --- | --- | --- |';
const page = readFileSync(PAGE, 'utf8');
writeFileSync(
  PAGE,
  page.replace(MARKS, (_, from, to) => `${from}\n${head}\n${rows.join('\n')}\n\n${to}`),
);
kit.kill();
