/**
 * The built program as a process of its own: started in a directory, waited for, asked over TCP or
 * its Unix socket, ended. Plain JavaScript, so that the long runs of test/faults need nothing but
 * Node. POSTERN_TEST_PROGRAM names another build, such as the single binary.
 */
import { spawn } from 'node:child_process';
import { request as httpRequest } from 'node:http';
import { fileURLToPath } from 'node:url';

/** What is run: a bundle by this Node, anything else by itself. */
const PROGRAM =
  process.env['POSTERN_TEST_PROGRAM'] ??
  fileURLToPath(new URL('../../dist/postern.mjs', import.meta.url));
/** @type {readonly string[]} */
export const COMMAND = PROGRAM.endsWith('.mjs') ? [process.execPath, PROGRAM] : [PROGRAM];

/**
 * The cheapest hash that the configuration allows, and the longest patience: on a busy machine
 * nothing is refused for its queue.
 */
export const CHEAP = {
  POSTERN_PASSWORD_MEMORY: '12MiB',
  POSTERN_PASSWORD_PASSES: '3',
  POSTERN_PASSWORD_THREADS: '2',
  POSTERN_PASSWORD_DEADLINE: '10s',
};

/**
 * @typedef {{ code: number | null, signal: NodeJS.Signals | null }} End
 * @typedef {{ [name: string]: unknown, event: string, level: string, message: string }} LogLine
 * @typedef {object} SpawnOptions
 * @property {string} directory where it runs
 * @property {Readonly<Record<string, string>>} [env] beside PATH and TMPDIR, which it always has
 * @property {string} [stdin] what it reads; nothing if left out
 * @property {readonly string[]} [wrap] a command that ends by running ours, as in `['setpriv',
 *   '--reuid=65534']`
 * @property {number} [uid] another user to run it as, for who may
 * @typedef {object} Program
 * @property {number} pid
 * @property {() => string} stdout everything so far
 * @property {() => string} stderr
 * @property {() => LogLine[]} log the whole JSON lines of stdout
 * @property {Promise<End>} ended
 * @property {(signal: NodeJS.Signals) => void} signal
 * @property {(event: string) => Promise<LogLine>} logged resolves at the first line of this event,
 *   rejects if it ends before
 */

/**
 * Everything that was started here and hasn't ended; it ends with this process. @type
 * {Set<import('node:child_process').ChildProcess>}
 */
const running = new Set();
process.on('exit', endAll);

/** Kills what a test that failed has left running. */
export function endAll() {
  running.forEach((child) => child.kill('SIGKILL'));
}

/**
 * Starts the program.
 *
 * @param {readonly string[]} args
 * @param {SpawnOptions} options
 * @returns {Program}
 */
export function spawnProgram(args, { directory, env = {}, stdin, wrap = [], uid }) {
  const [file = '', ...rest] = [...wrap, ...COMMAND, ...args];
  const child = spawn(file, rest, {
    cwd: directory,
    env: {
      PATH: process.env['PATH'] ?? '',
      ...(process.env['TMPDIR'] === undefined ? {} : { TMPDIR: process.env['TMPDIR'] }),
      ...env,
    },
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  running.add(child);
  /** @type {Buffer[]} */
  const out = [];
  /** @type {Buffer[]} */
  const err = [];
  /** @type {Set<() => void>} */
  const watchers = new Set();
  let isOver = false;
  const tell = () => [...watchers].forEach((watch) => watch());
  child.stdout?.on('data', (/** @type {Buffer} */ chunk) => {
    out.push(chunk);
    tell();
  });
  child.stderr?.on('data', (/** @type {Buffer} */ chunk) => void err.push(chunk));
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(stdin);
  /** @type {Promise<End>} */
  const ended = new Promise((resolve, reject) => {
    child.once('error', (error) => {
      running.delete(child);
      reject(error);
    });
    child.once('close', (code, signal) => {
      running.delete(child);
      isOver = true;
      resolve({ code, signal });
      tell();
    });
  });
  ended.catch(() => undefined);
  const stdout = () => Buffer.concat(out).toString('utf8');
  const stderr = () => Buffer.concat(err).toString('utf8');
  const log = () =>
    stdout()
      .split('\n')
      .slice(0, -1)
      .flatMap((line) => (line.startsWith('{') ? [/** @type {LogLine} */ (JSON.parse(line))] : []));
  return {
    pid: child.pid ?? -1,
    stdout,
    stderr,
    log,
    ended,
    signal: (signal) => void child.kill(signal),
    logged: (event) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const line = log().find((candidate) => candidate.event === event);
          if (line === undefined && !isOver) return;
          watchers.delete(look);
          if (line !== undefined) resolve(line);
          else reject(new Error(`it ended without ${event}\n${stderr()}${stdout()}`));
        };
        watchers.add(look);
        ended.catch(reject);
        look();
      }),
  };
}

/**
 * @typedef {{ socketPath: string } | { host: string, port: number }} Where
 * @typedef {object} CallOptions
 * @property {unknown} [body] sent as JSON
 * @property {string} [token] sent as a bearer
 * @property {Readonly<Record<string, string>>} [headers]
 * @property {import('node:http').Agent} [agent] default: a connection of its own
 * @typedef {object} Reply
 * @property {number} status
 * @property {import('node:http').IncomingHttpHeaders} headers
 * @property {any} body read as JSON where it is JSON
 */

/**
 * The address in a `server.started` line.
 *
 * @param {string} address
 * @returns {Where}
 */
export function whereIs(address) {
  // A socket that was handed over tells no address; who made it knows.
  if (!address.startsWith('http:')) return { socketPath: address.replace(/^unix:/, '') };
  const { hostname, port } = new URL(address);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
}

/**
 * One request. Resolves once the whole answer is there, and rejects when any of it is missing.
 *
 * @param {Where} where
 * @param {string} method
 * @param {string} path
 * @param {CallOptions} [options]
 * @returns {Promise<Reply>}
 */
export function ask(where, method, path, { body, token, headers = {}, agent } = {}) {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const asked = httpRequest(
      {
        ...where,
        method,
        path,
        ...(agent === undefined ? { agent: false } : { agent }),
        headers: {
          host: 'localhost',
          ...(payload === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
      },
      (response) => {
        /** @type {Buffer[]} */
        const chunks = [];
        response.on('data', (/** @type {Buffer} */ chunk) => void chunks.push(chunk));
        response.once('error', reject);
        response.once('aborted', () => reject(new Error('the answer was cut off')));
        response.once('end', () => {
          if (!response.complete) return reject(new Error('the answer was cut off'));
          const text = Buffer.concat(chunks).toString('utf8');
          const isJson = (response.headers['content-type'] ?? '').includes('json');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: isJson && text !== '' ? JSON.parse(text) : text,
          });
        });
      },
    );
    asked.once('error', reject);
    asked.end(payload);
  });
}

/**
 * Random numbers that a seed gives again (mulberry32).
 *
 * @param {number} seed
 */
export function seeded(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    /** From 0 to 1. */
    next,
    /**
     * A whole number from `least` to `most`, both included. @type {(least: number, most: number) =>
     * number}
     */
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    /** @type {<T>(list: readonly T[]) => T} */
    pick: (list) => {
      const chosen = list[Math.floor(next() * list.length)];
      if (chosen === undefined) throw new Error('there is nothing to pick from');
      return chosen;
    },
  };
}
