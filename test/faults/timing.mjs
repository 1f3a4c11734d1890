/**
 * Whether the time of an answer, or of the caller's next request, tells a known name from an unknown
 * one (E06): interleaved pairs over one kept-alive connection, the order within a pair left to
 * chance, and the Mann-Whitney statistic, which asks how often one of the one kind is slower than one
 * of the other. 0.5 is what chance gives; no absolute time is gated, for machines are busy.
 *
 *     node test/faults/timing.mjs [--pairs 500] [--seed 1] [--full] [--only forgot] [--registers]
 *
 * --full: hashes at the default cost. --only: the cases whose name has this text. --registers: a
 * code to an address without an account creates one.
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
/** Longer than the courier waits before it takes an email. */
const WATCHED_MS = 130;
/** What GET /healthz takes when nothing is in its way; the mean of the rest is taken. */
const QUIET_MS = 0.6;
/** Users of each kind whose code is sent again in turn. */
const CLAIMS = 50;

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

/** @typedef {[number[], number[]]} Times of the known and of the unknown */

/**
 * @param {Times} times
 * @returns {Comparison}
 */
function comparisonOf(times) {
  return {
    auc: areaUnderCurve(...times),
    medianDifferenceMs: median(times[0]) - median(times[1]),
    medianMs: median(times[1]),
  };
}

/**
 * @param {Asking} known
 * @param {Asking} unknown
 * @param {{ pairs: number, warmUps: number, random: { next(): number } }} options
 * @returns {Promise<Comparison>}
 */
export async function compare(known, unknown, options) {
  return (await compareWithNext(known, unknown, [], options)).answer;
}

/** Lets what a pair has begun come to its end, so that the next one meets none of it. */
const BETWEEN_MS = 25;

/**
 * The same, and each answer is followed at once by the same further requests: what the service does
 * after an answer must tell no more than the answer. A number that a request resolves to is its time.
 *
 * @param {Asking} known
 * @param {Asking} unknown
 * @param {readonly (() => Promise<unknown>)[]} next
 * @param {{ pairs: number, warmUps: number, random: { next(): number } }} options
 * @returns {Promise<{ answer: Comparison, next: Comparison[] }>}
 */
export async function compareWithNext(known, unknown, next, { pairs, warmUps, random }) {
  const asked = next.length + 1;
  /** @type {Times[]} */
  const times = Array.from({ length: asked }, () => [[], []]);
  for (let index = 0; index < warmUps + pairs; index++) {
    for (const kind of random.next() < 0.5
      ? /** @type {const} */ ([0, 1])
      : /** @type {const} */ ([1, 0])) {
      const asking = kind === 0 ? known : unknown;
      for (const [nth, request] of [() => asking(index), ...next].entries()) {
        const begun = performance.now();
        const own = await request();
        const took = typeof own === 'number' ? own : performance.now() - begun;
        if (index >= warmUps) times[nth]?.[kind].push(took);
      }
      if (next.length > 0) await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
    }
  }
  const [answer = comparisonOf([[], []]), ...following] = times.map(comparisonOf);
  return { answer, next: following };
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
 * @param {{ pairs: number, seed: number, isFull: boolean, only: string, registers: boolean, onCase: (line: string) => void }} options
 * @returns {Promise<boolean>} whether every case passed
 */
async function run({ pairs, seed, isFull, only, registers, onCase }) {
  const directory = mkdtempSync(join(tmpdir(), 'postern-timing-'));
  const env = {
    POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0',
    POSTERN_SERVER_PUBLIC_URL: 'http://127.0.0.1:7400',
    POSTERN_THROTTLE_ATTEMPTS: '100',
    POSTERN_SESSIONS_FRESH_FOR: '1h',
    POSTERN_MAIL_MAX_PER_HOUR: '1000',
    POSTERN_MAIL_INTERVAL: '1s',
    POSTERN_OTP_EMAIL_ENABLED: 'true',
    POSTERN_OTP_SMS_ENABLED: 'true',
    POSTERN_SMS_COUNTRIES: 'DE',
    POSTERN_SMS_INTERVAL: '1s',
    POSTERN_SMS_MAX_PER_DAY: '1000000',
    POSTERN_SMS_MAX_UNVERIFIED: '1000000',
    POSTERN_SERVER_TRUSTED_PROXIES: '127.0.0.1',
    POSTERN_OTP_AUTO_REGISTER: String(registers),
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
    /** @param {string} method @param {string} path @param {object} options @param {number} status */
    const call = async (method, path, options, status) => {
      const reply = await ask(where, method, path, { ...options, agent });
      if (reply.status !== status)
        throw new Error(`${path} answered ${reply.status} ${JSON.stringify(reply.body)}`);
      return reply;
    };
    /** @param {string} path @param {unknown} body @param {number} status */
    const post = (path, body, status) => call('POST', path, { body }, status);
    const rounds = 2 * (WARM_UPS + pairs);
    // A bucket takes 99 guesses of each account.
    const accounts = Math.ceil(rounds / 90);
    /** @type {string[]} */
    const tokens = [];
    for (let i = 0; i < accounts; i++) {
      const { body } = await post('/register', { username: `known${i}`, password }, 201);
      tokens.push(body.access_token);
    }
    proveAddresses(join(directory, 'data', 'postern.db'), 7 * rounds);
    giveCodes(join(directory, 'data', 'postern.db'));
    const wrong = 'wrong horse battery staple';
    let free = 0;
    let proved = 0;
    let turn = 0;
    const token = () => tokens[turn++ % accounts] ?? '';
    const known = () => `proved${proved++}@example.com`;
    const unknown = () => `free${free++}@example.com`;
    /** @param {string} email */
    const forgot = (email) => post('/password/forgot', { username: email }, 202);
    /** @param {string} email */
    const code = (email) => post('/login/otp', { email }, 202);
    /** @param {string} email */
    const guess = async (email) => {
      const { body } = await code(email);
      return post('/login/otp/verify', { otp_id: body.otp_id, code: 'wrong' }, 422);
    };
    let networks = 0;
    /** A code to a number, by a network that has caused none. @param {number} number */
    const text = (number) => {
      const n = networks++;
      const headers = { 'x-forwarded-for': `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}` };
      const body = { phone: `+49${number}` };
      return call('POST', '/login/otp', { body, headers }, 202);
    };
    let texted = 0;
    const knownPhone = () => PHONES + texted++;
    const unknownPhone = () => FREE_PHONES + texted++;
    /** @param {number} number */
    const guessText = async (number) => {
      const { body } = await text(number);
      return post('/login/otp/verify', { otp_id: body.otp_id, code: 'wrong' }, 422);
    };
    /** @param {string} username */
    const recover = (username) =>
      post('/login/recovery-code', { username, recovery_code: '0000-0000-0000-0000' }, 401);
    /** @param {string} email */
    const register = (email) => post('/register', { email, password }, 202);
    /** @param {string} email */
    const change = (email) => call('PATCH', '/me', { token: token(), body: { email } }, 200);
    /** Claims of users of their own, one after the other, so that the interval has passed. @type {Record<'taken' | 'free', string[]>} */
    const claims = { taken: [], free: [] };
    for (let i = 0; i < 2 * CLAIMS; i++) {
      const { body } = await post('/register', { username: `claims${i}`, password }, 201);
      const kind = i % 2 === 0 ? 'taken' : 'free';
      await call(
        'PATCH',
        '/me',
        { token: body.access_token, body: { email: kind === 'taken' ? known() : unknown() } },
        200,
      );
      claims[kind].push(body.access_token);
    }
    /** @param {'taken' | 'free'} kind */
    const resend = (kind) => {
      const claim = claims[kind].shift() ?? '';
      claims[kind].push(claim);
      return call('POST', '/email/verify/resend', { token: claim }, 202);
    };
    /** @type {(() => Promise<unknown>)[]} */
    const next = [
      () => call('GET', '/healthz', {}, 200),
      // The courier wakes some time later: what it does shows in one of many requests.
      async () => {
        let sum = 0;
        let asked = 0;
        for (const end = performance.now() + WATCHED_MS; performance.now() < end; ) {
          const begun = performance.now();
          await call('GET', '/healthz', {}, 200);
          sum += Math.max(0, performance.now() - begun - QUIET_MS);
          asked++;
        }
        return sum / asked;
      },
      () => forgot(unknown()),
    ];
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
        known: () => forgot(known()),
        unknown: () => forgot(unknown()),
      },
      {
        name: 'otp: a code for a known address / for an unknown one',
        known: () => code(known()),
        unknown: () => code(unknown()),
      },
      {
        name: 'otp: a code and a wrong guess, known address / unknown one',
        known: () => guess(known()),
        unknown: () => guess(unknown()),
      },
      {
        name: 'otp: a text message to a known number / to an unknown one',
        known: () => text(knownPhone()),
        unknown: () => text(unknownPhone()),
      },
      {
        name: 'otp: a text message and a wrong guess, known number / unknown one',
        known: () => guessText(knownPhone()),
        unknown: () => guessText(unknownPhone()),
      },
      {
        name: 'recovery code: a wrong one of an account with a passkey / of an unknown name',
        known: () => recover(`known${turn++ % accounts}`),
        unknown: () => recover(`nobody${turn % accounts}`),
      },
      {
        name: 'register by email: a taken address / a free one',
        known: () => register(known()),
        unknown: () => register(unknown()),
      },
      {
        name: 'PATCH /me: a taken address / a free one',
        known: () => change(known()),
        unknown: () => change(unknown()),
      },
      {
        name: 'email/verify/resend: a claim on a taken address / on a free one',
        known: () => resend('taken'),
        unknown: () => resend('free'),
      },
    ].filter(({ name }) => name.includes(only));
    let passed = true;
    for (const { name, known: knownCase, unknown: unknownCase } of cases) {
      /** What passed, by its place: each once in two attempts, for there are many of them. */
      const silent = new Set();
      const isSilent = () => silent.size === next.length + 1;
      for (let attempt = 0; attempt < 2 && !isSilent(); attempt++) {
        const compared = await compareWithNext(knownCase, unknownCase, next, {
          pairs,
          warmUps: WARM_UPS,
          random,
        });
        for (const [at, comparison] of [compared.answer, ...compared.next].entries()) {
          const { auc, medianDifferenceMs, medianMs } = comparison;
          const passes = tellsNothing(comparison);
          if (passes) silent.add(at);
          onCase(
            `${passes ? 'pass' : 'FAIL'}  ${name}; ${MEASURED[at] ?? ''}: AUC ${auc.toFixed(3)}, medians differ by ${medianDifferenceMs.toFixed(2)} ms of ${medianMs.toFixed(2)}`,
          );
        }
      }
      passed &&= isSilent();
    }
    agent.destroy();
    return passed;
  } finally {
    server.signal('SIGTERM');
    await server.ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

/** German mobile numbers: of accounts, and of nobody. */
const PHONES = 15_120_000_000;
const FREE_PHONES = 15_220_000_000;

/** What of a pair was timed. */
const MEASURED = [
  'the answer',
  'GET /healthz after it',
  'delays of GET /healthz for a while',
  'a forgot of nobody after that',
];

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
      "INSERT INTO \"user\" (id, email, email_canonical, phone, user_metadata, claims, created_at, updated_at) VALUES (?, ?, ?, ?, '{}', '{}', 0, 0)",
    );
    for (let i = 0; i < count; i++)
      insert.run(
        `timing-${i}`,
        `proved${i}@example.com`,
        `proved${i}@example.com`,
        `+49${PHONES + i}`,
      );
    db.exec('COMMIT');
  } finally {
    db.close();
  }
}

/**
 * A passkey and ten recovery codes for every account with a password, whose hash stands for theirs.
 *
 * @param {string} path
 */
function giveCodes(path) {
  const db = new Libsql(path, /** @type {any} */ ({ timeout: 10_000 }));
  try {
    db.exec(`INSERT INTO passkey (id, user_id, credential_id, public_key, counter, transports, name, aaguid, backup_eligible, backed_up, created_at)
      SELECT user_id, user_id, user_id, '', 0, '[]', 'x', '', 0, 0, 0 FROM password_credential`);
    for (const selector of '0123456789')
      db.exec(`INSERT INTO recovery_code (user_id, selector, code_hash, created_at)
        SELECT user_id, '${selector}', password_hash, 0 FROM password_credential`);
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
      only: { type: 'string', default: '' },
      registers: { type: 'boolean', default: false },
    },
  });
  const passed = await run({
    pairs: Number(values.pairs),
    seed: Number(values.seed),
    isFull: values.full,
    only: values.only,
    registers: values.registers,
    onCase: (line) => console.log(line),
  });
  process.exitCode = passed ? 0 : 1;
}
