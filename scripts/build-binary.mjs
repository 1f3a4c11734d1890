/**
 * The single binary: `npm run build:binary [-- linux-x64 | linux-arm64]` makes `dist/postern` (of
 * another processor `dist/postern-linux-arm64`), a Node 24 single executable application with the
 * program, its addons and its data inside. Node and addons come from packaging/<target>, which has
 * a lock of its own.
 *
 * @see https://nodejs.org/docs/latest-v24.x/api/single-executable-applications.html
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { singleFiles } from './single-file.mjs';

/** @type {{ inject(file: string, name: string, blob: Buffer, options: { sentinelFuse: string }): Promise<void> }} */
let postject;

/** It has a lock of its own, because no release of it is without a suffix. */
function loadPostject() {
  run('npm', ['ci', '--silent', '--prefix', join('packaging', 'tools')]);
  return createRequire(join(process.cwd(), 'packaging', 'tools', 'package.json'))('postject');
}

/** The mark that Node looks for, and that postject flips. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** @type {Readonly<Record<string, { cpu: string, strip: string }>>} */
const TARGETS = {
  'linux-x64': { cpu: 'x64', strip: process.arch === 'x64' ? 'strip' : 'x86_64-linux-gnu-strip' },
  'linux-arm64': {
    cpu: 'arm64',
    strip: process.arch === 'arm64' ? 'strip' : 'aarch64-linux-gnu-strip',
  },
};
const HERE = `${process.platform}-${process.arch}`;

/** @param {string} target */
async function buildBinary(target) {
  const about = TARGETS[target];
  if (about === undefined)
    throw new Error(
      `there is no target ${target}; write one of ${Object.keys(TARGETS).join(', ')}`,
    );
  const { cpu, strip } = about;
  const parts = join('packaging', target);
  run('npm', ['ci', '--silent', '--os=linux', `--cpu=${cpu}`, '--libc=glibc', '--prefix', parts]);
  const modules = join(parts, 'node_modules');
  const node = join(modules, `node-${target}`, 'bin', 'node');
  const { program, map, hashLane, checkpointLane } = await singleFiles();
  const work = mkdtempSync(join(tmpdir(), 'postern-build-'));
  try {
    const main = join(work, 'postern.js');
    writeFileSync(main, program);
    writeFileSync(join(work, 'hash-lane.mjs'), hashLane);
    writeFileSync(join(work, 'checkpoint-lane.mjs'), checkpointLane);
    writeFileSync(join(work, 'postern.js.map'), map);
    const blob = join(work, 'postern.blob');
    const config = join(work, 'sea.json');
    writeFileSync(
      config,
      JSON.stringify({
        main,
        output: blob,
        disableExperimentalSEAWarning: true,
        // Made by the same Node, which has to run here.
        useCodeCache: target === HERE,
        assets: {
          'hash-lane.mjs': join(work, 'hash-lane.mjs'),
          'checkpoint-lane.mjs': join(work, 'checkpoint-lane.mjs'),
          'postern.js.map': join(work, 'postern.js.map'),
          'common-passwords.bin': 'src/core/password/common-passwords.bin',
          'libsql.node': join(modules, '@libsql', `${target}-gnu`, 'index.node'),
          'argon2.node': join(
            modules,
            '@node-rs',
            `argon2-${target}-gnu`,
            `argon2.${target}-gnu.node`,
          ),
        },
      }),
    );
    // Any Node 24 makes the blob, but one of the same version alone makes a code cache that counts.
    run(target === HERE ? node : nodeOfHere(), ['--experimental-sea-config', config]);
    const made = join(work, 'postern');
    copyFileSync(node, made);
    chmodSync(made, 0o755);
    // Before the blob is there: strip would move it.
    run(strip, [made]);
    postject ??= loadPostject();
    await postject.inject(made, 'NODE_SEA_BLOB', readFileSync(blob), { sentinelFuse: FUSE });
    mkdirSync('dist', { recursive: true });
    const output = join('dist', target === HERE ? 'postern' : `postern-${target}`);
    // A program that runs can't be written to, but it can be replaced; over two file systems only
    // by a copy beside it.
    copyFileSync(made, `${output}.new`);
    chmodSync(`${output}.new`, 0o755);
    renameSync(`${output}.new`, output);
    console.log(`${output}: ${(statSync(output).size / 1_048_576).toFixed(1)} MiB`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A Node 24 that runs on this machine, for making another one's blob. */
function nodeOfHere() {
  const parts = join('packaging', HERE);
  run('npm', [
    'ci',
    '--silent',
    '--os=linux',
    `--cpu=${process.arch}`,
    '--libc=glibc',
    '--prefix',
    parts,
  ]);
  return join(parts, 'node_modules', `node-${HERE}`, 'bin', 'node');
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 */
function run(command, args) {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

const targets = process.argv.slice(2);
for (const target of targets.length === 0 ? [HERE] : targets) await buildBinary(target);
