/**
 * Whether the time of an answer tells a known name from an unknown one (E06): interleaved pairs
 * over one kept-alive connection, the order within a pair left to chance, and the Mann-Whitney
 * statistic, which asks how often one of the one kind is slower than one of the other. 0.5 is what
 * chance gives; no absolute time is gated, for machines are busy.
 *
 *     node test/faults/timing.mjs [--pairs 500] [--seed 1] [--full]    (--full: hashes at the default cost)
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import Libsql from 'libsql';
import { LIMITS_OFF } from '../support/limits.mjs';
import { CHEAP, ask, seeded, spawnProgram, whereIs } from '../support/program.mjs';

const WARM_UPS = 50;

/**
 * How often a value of `slow` is above one of `fast`, ties counting half: U / (n1·n2).
 *
 * @param {readonly number[]} slow
 * @param {readonly number[]} fast
 */
export function areaUnderCurve(slow, fast) {
  let wins = 0;
  for (const a of slow) for (const b of fast) wins += (1 + Math.sign(a - b)) / 2;
  return wins / (slow.length * fast.length);
}

/**
 * The standard deviation of the area when both are alike.
 *
 * @param {number} n1
 * @param {number} n2
 */
export function nullSigma(n1, n2) {
  return Math.sqrt((n1 + n2 + 1) / (12 * n1 * n2));
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/**
 * @typedef {{ auc: number, medianDifferenceMs: number, medianMs: number }} Comparison
 * @typedef {(index: number) => Promise<unknown>} Asking of one kind, the nth time
 */

/**
 * @param {Asking} known
 * @param {Asking} unknown
 * @param {{ pairs: number, warmUps: number, random: { next(): number } }} options
 * @returns {Promise<Comparison>}
 */
export async function compare(known, unknown, { pairs, warmUps, random }) {
  /** @type {[number[], number[]]} */
  const times = [[], []];
  for (let index = 0; index < warmUps + pairs; index++) {
    for (const kind of random.next() < 0.5
      ? /** @type {const} */ ([0, 1])
      : /** @type {const} */ ([1, 0])) {
      const asking = kind === 0 ? known : unknown;
      const begun = performance.now();
      await asking(index);
      const took = performance.now() - begun;
      if (index >= warmUps) times[kind].push(took);
    }
  }
  return {
    auc: areaUnderCurve(...times),
    medianDifferenceMs: median(times[0]) - median(times[1]),
    medianMs: median(times[1]),
  };
}

/**
 * E06's verdict.
 *
 * @param {Comparison} comparison
 */
export function tellsNothing({ auc, medianDifferenceMs }) {
  return auc >= 0.45 && auc <= 0.55 && Math.abs(medianDifferenceMs) <= 2;
}

/**
 * @param {{ pairs: number, seed: number, isFull: boolean, onCase: (line: string) => void }} options
 * @returns {Promise<boolean>} whether every case passed
 */
async function run({ pairs, seed, isFull, onCase }) {
  const directory = mkdtempSync(join(tmpdir(), 'postern-timing-'));
  const env = {
    POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0',
    POSTERN_SERVER_PUBLIC_URL: 'http://127.0.0.1:7400',
    POSTERN_THROTTLE_ATTEMPTS: '100',
    POSTERN_MAIL_MAX_PER_HOUR: '1000',
    ...LIMITS_OFF,
    ...(isFull ? {} : CHEAP),
  };
  const server = spawnProgram(['serve'], { directory, env });
  try {
    const started = await server.logged('server.started');
    const where = whereIs(Array.isArray(started['listen']) ? String(started['listen'][0]) : '');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const random = seeded(seed);
    const password = 'correct horse battery staple';
    /** @param {string} path @param {unknown} body @param {number} status */
    const post = async (path, body, status) => {
      const reply = await ask(where, 'POST', path, { body, agent });
      if (reply.status !== status)
        throw new Error(`${path} answered ${reply.status} ${JSON.stringify(reply.body)}`);
      return reply;
    };
    const rounds = 2 * (WARM_UPS + pairs);
    // A bucket takes 99 guesses of each account.
    const accounts = Math.ceil(rounds / 90);
    for (let i = 0; i < accounts; i++)
      await post('/register', { username: `known${i}`, password }, 201);
    proveAddresses(join(directory, 'data', 'postern.db'), 3 * rounds);
    const wrong = 'wrong horse battery staple';
    let free = 0;
    let turn = 0;
    const cases = [
      {
        name: 'login: a wrong password / an unknown name',
        known: () =>
          post('/login', { username: `known${turn++ % accounts}`, password: wrong }, 401),
        unknown: () =>
          post('/login', { username: `nobody${turn % accounts}`, password: wrong }, 401),
      },
      {
        name: 'forgot: a known address / an unknown one',
        known: () => post('/password/forgot', { username: `proved${free++}@example.com` }, 202),
        unknown: () => post('/password/forgot', { username: `unused${free++}@example.com` }, 202),
      },
      {
        name: 'register by e-mail: a taken address / a free one',
        known: (/** @type {number} */ index) =>
          post('/register', { email: `proved${2 * rounds + index}@example.com`, password }, 202),
        unknown: () => post('/register', { email: `free${free++}@example.com`, password }, 202),
      },
    ];
    let passed = true;
    for (const { name, known, unknown } of cases) {
      let verdict = false;
      for (let attempt = 0; attempt < 2 && !verdict; attempt++) {
        const offset = attempt * (WARM_UPS + pairs);
        const comparison = await compare(
          (index) => known(index + offset),
          () => unknown(),
          { pairs, warmUps: WARM_UPS, random },
        );
        verdict = tellsNothing(comparison);
        onCase(
          `${verdict ? 'pass' : 'FAIL'}  ${name}: AUC ${comparison.auc.toFixed(3)}, medians differ by ${comparison.medianDifferenceMs.toFixed(2)} ms of ${comparison.medianMs.toFixed(2)}`,
        );
      }
      passed &&= verdict;
    }
    agent.destroy();
    return passed;
  } finally {
    server.signal('SIGTERM');
    await server.ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Accounts with a proved address, written beside the running service.
 *
 * @param {string} path
 * @param {number} count
 */
function proveAddresses(path, count) {
  const db = new Libsql(path, /** @type {any} */ ({ timeout: 10_000 }));
  try {
    db.exec('BEGIN IMMEDIATE');
    const insert = db.prepare(
      "INSERT INTO \"user\" (id, email, email_canonical, user_metadata, claims, created_at, updated_at) VALUES (?, ?, ?, '{}', '{}', 0, 0)",
    );
    for (let i = 0; i < count; i++)
      insert.run(`timing-${i}`, `proved${i}@example.com`, `proved${i}@example.com`);
    db.exec('COMMIT');
  } finally {
    db.close();
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      pairs: { type: 'string', default: '500' },
      seed: { type: 'string', default: '1' },
      full: { type: 'boolean', default: false },
    },
  });
  const passed = await run({
    pairs: Number(values.pairs),
    seed: Number(values.seed),
    isFull: values.full,
    onCase: (line) => console.log(line),
  });
  process.exitCode = passed ? 0 : 1;
}
