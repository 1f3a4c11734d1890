/**
 * Fills the compile cache beside the bundle: starts the program once in an empty folder and stops
 * it, so that what the cache holds is what a start runs. Done anew when the bundle or Node is
 * another one; a service that was installed without it fills the cache when it stops.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const FOLDER = 'dist/compile-cache';
const MARK = join(FOLDER, 'made-of');
const DEADLINE_MS = 20_000;

/** @param {string} path */
function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The bundle, the Node and the user that a cache is good for. */
function fingerprint() {
  const hash = createHash('sha256').update(`${process.version} ${process.getuid?.()}`);
  for (const name of readdirSync('dist')
    .filter((file) => file.endsWith('.mjs'))
    .sort())
    hash.update(name).update(readFileSync(join('dist', name)));
  return hash.digest('hex');
}

/** Starts the program on a socket in an empty folder, and stops it when it says that it serves. */
async function startOnce() {
  const cwd = mkdtempSync(join(tmpdir(), 'postern-cache-'));
  try {
    const child = spawn(process.execPath, [resolve('dist/postern.mjs'), 'serve'], {
      cwd,
      env: {
        PATH: process.env['PATH'],
        POSTERN_SERVER_LISTEN: `unix:${join(cwd, 'postern.sock')}`,
        POSTERN_SERVER_PUBLIC_URL: 'http://127.0.0.1:7400',
        POSTERN_METRICS_LISTEN: `unix:${join(cwd, 'metrics.sock')}`,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: DEADLINE_MS,
    });
    child.stdout.on('data', (bytes) => {
      if (String(bytes).includes('"server.started"')) child.kill('SIGTERM');
    });
    const code = await new Promise((done) => child.once('exit', done));
    if (code !== 0) throw new Error(`the program that was built does not start (exit ${code})`);
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

export async function fillCompileCache() {
  if (!('enableCompileCache' in module)) return;
  const made = fingerprint();
  if (textOf(MARK) === made) return;
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER);
  await startOnce();
  writeFileSync(MARK, made);
}
