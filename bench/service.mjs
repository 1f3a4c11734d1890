/**
 * The service as its users run it: `node dist/postern.mjs serve` in a folder of its own, with the
 * default configuration but for the port, an audience and limits.token. Its log goes to a file, in memory where /dev/shm is
 * there: it is written in full, and no disk is measured by it.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { LIMITS_OFF } from '../test/support/limits.mjs';
import { requestText } from './request.mjs';

/**
 * @typedef {object} Service
 * @property {number} pid
 * @property {number} port
 * @property {number} startMs from spawn to the end of the first answer
 * @property {() => void} forgetLog
 * @property {() => Promise<void>} stop
 */

/** The service that tokens are exchanged for. */
export const AUDIENCE = 'https://billing.example.com';

/**
 * An API key that may exchange tokens.
 *
 * @param {{ program: string, folder: string }} options
 * @returns {string} id and secret
 */
export function createApiKey({ program, folder }) {
  const options = ['--scope', 'exchange', '--may-exchange-to', AUDIENCE];
  return execFileSync(
    process.execPath,
    [resolve(program), 'apikey', 'create', 'bench', ...options],
    { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  ).trim();
}

const START_DEADLINE_MS = 10_000;

/** A place for things that must not touch the disk. */
export const MEMORY = inMemory() ?? tmpdir();

function inMemory() {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return undefined;
  }
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/**
 * Asks once. Resolves with the answer's status, or null when nobody listens yet.
 *
 * @param {number} port
 * @param {string} request
 * @returns {Promise<string | null>}
 */
function askOnce(port, request) {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(request));
    socket.on('data', (bytes) => {
      done(bytes.toString('latin1', 9, 12));
      socket.destroy();
    });
    socket.on('error', () => done(null));
  });
}

/** The command that delays each flush of a program's database by so many milliseconds. */
const slowDisk = (/** @type {number} */ ms) => [
  ...['strace', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null'],
  ...['-e', 'trace=fdatasync', '-e', `inject=fdatasync:delay_enter=${ms * 1000}`],
];

/** Whether a slow disk can be played here. */
export function canDelayFlushes() {
  const { status } = spawnSync(slowDisk(0)[0] ?? '', [...slowDisk(0).slice(1), 'true']);
  return status === 0;
}

/**
 * Starts it, on a new database or on the one that is in the folder.
 *
 * @param {{ program: string, folder: string, nodeOptions?: readonly string[], flushDelayMs?: number }} options
 *   with `flushDelayMs`, `pid` is that of the tracer
 * @returns {Promise<Service>}
 */
export async function startService({ program, folder, nodeOptions = [], flushDelayMs = 0 }) {
  const port = await freePort();
  const logFolder = mkdtempSync(join(MEMORY, 'postern-bench-log-'));
  const logFile = join(logFolder, 'log');
  const log = openSync(logFile, 'a');
  writeFileSync(
    join(folder, 'config.toml'),
    `[limits]\ntoken = "off"\n[audiences."${AUDIENCE}"]\n`,
  );
  const start = performance.now();
  const isBundle = program.endsWith('.mjs');
  const command = [
    ...(flushDelayMs > 0 ? slowDisk(flushDelayMs) : []),
    ...(isBundle ? [process.execPath, ...nodeOptions] : []),
    resolve(program),
    'serve',
  ];
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    cwd: folder,
    env: {
      PATH: process.env['PATH'] ?? '',
      POSTERN_SERVER_LISTEN: `tcp://127.0.0.1:${port}`,
      // Every refresh that is measured rotates; with a grace, a session rotates once in it.
      POSTERN_SESSIONS_REFRESH_GRACE: '0s',
      // One address sends what many would.
      ...LIMITS_OFF,
    },
    stdio: ['ignore', log, 'inherit'],
  });
  closeSync(log);
  const gone = new Promise((done) => child.once('exit', done));
  const end = () => {
    child.kill('SIGKILL');
    rmSync(logFolder, { recursive: true, force: true });
  };
  process.once('exit', end);
  const request = requestText('GET', '/healthz');
  for (;;) {
    const status = await askOnce(port, request);
    if (status === '200') break;
    if (
      status !== null ||
      child.exitCode !== null ||
      performance.now() - start > START_DEADLINE_MS
    ) {
      end();
      throw new Error(`the service did not start (answer ${status}, exit ${child.exitCode})`);
    }
    await new Promise((done) => setTimeout(done, 2));
  }
  return {
    pid: child.pid ?? 0,
    port,
    startMs: performance.now() - start,
    forgetLog: () => truncateSync(logFile),
    async stop() {
      // The tracer ends with what it traces.
      for (const pid of flushDelayMs > 0 ? childrenOf(child.pid ?? 0) : [])
        process.kill(pid, 'SIGTERM');
      if (flushDelayMs === 0) child.kill('SIGTERM');
      await gone;
      process.off('exit', end);
      rmSync(logFolder, { recursive: true, force: true });
    },
  };
}

/** @param {number} pid */
function childrenOf(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.split(' ').filter(Boolean).map(Number);
}

/** Good for every user of the bench. */
export const PASSWORD = 'correct horse battery staple';

/**
 * Makes users and gives each one's refresh token.
 *
 * @param {number} port
 * @param {readonly string[]} names
 * @returns {Promise<{ access: string, refresh: string }[]>}
 */
export async function register(port, names) {
  const left = [...names];
  /** @type {{ access: string, refresh: string }[]} */
  const made = [];
  const work = async () => {
    for (let username = left.pop(); username !== undefined; username = left.pop()) {
      const response = await fetch(`http://127.0.0.1:${port}/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username, password: PASSWORD }),
      });
      const text = await response.text();
      // A machine that does other things hashes slowly.
      if (response.status === 503) {
        left.push(username);
        await new Promise((done) => setTimeout(done, 1_000));
        continue;
      }
      if (response.status !== 201)
        throw new Error(`/register answered ${response.status}: ${text}`);
      const { access_token, refresh_token } = JSON.parse(text);
      made.push({ access: access_token, refresh: refresh_token });
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  return made;
}
