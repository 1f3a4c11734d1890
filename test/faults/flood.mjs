/**
 * Strangers from ever new networks, as many as there are connections, for as long as it is told:
 * what they leave in the database is bounded by the configured caps, and GET /verify goes on beside
 * them (finding 3).
 *
 *     node test/faults/flood.mjs --minutes 10
 */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import Libsql from 'libsql';
import { ask, seeded, spawnProgram } from '../support/program.mjs';

/**
 * @typedef {object} Caps
 * @property {number} pending registrations by email
 * @property {number} requested emails an hour
 *
 * @typedef {object} Report
 * @property {Readonly<Record<string, number>>} rows by table
 * @property {readonly number[]} megabytes of the database and its log, at each look
 * @property {number} requests
 * @property {Readonly<Record<string, number>>} statuses
 * @property {number} verifyP50 milliseconds
 * @property {number} verifyP99
 */

const CONNECTIONS = 64;
const PROBES_PER_SECOND = 100;
/** Tables that a request of a stranger can write to; accounts and sessions are what it is for. */
const TABLES = ['attempt', 'one_time', 'outbox', 'challenge'];

/** @typedef {import('../support/program.mjs').Where} Where */

/**
 * @param {{ seconds: number, most?: number, caps: Caps, env?: Record<string, string>, onLook?: (line: string) => void }} options
 * @returns {Promise<Report>}
 */
export async function flood({
  seconds,
  most = Infinity,
  caps,
  env = {},
  onLook = () => undefined,
}) {
  const directory = mkdtempSync(join(tmpdir(), 'postern-flood-'));
  writeFileSync(
    join(directory, 'config.toml'),
    `[registration]\nmax_pending = ${caps.pending}\n[mail]\nmax_requested = ${caps.requested}\n[server]\ntrusted_proxies = ["127.0.0.1/32"]\n[log]\nlevel = "error"\n`,
  );
  const port = await freePort();
  const program = spawnProgram(['serve'], {
    directory,
    env: { POSTERN_SERVER_LISTEN: `tcp://127.0.0.1:${port}`, ...env },
  });
  /** @type {Where} */
  const where = { host: '127.0.0.1', port };
  try {
    await ready(where, program);
    const report = await floodAt(where, directory, { seconds, most, onLook });
    program.signal('SIGTERM');
    await program.ended;
    return { ...report, rows: rowsIn(directory) };
  } finally {
    program.signal('SIGKILL');
    await program.ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

/** @param {Where} where @param {import('../support/program.mjs').Program} program */
async function ready(where, program) {
  let hasEnded = false;
  void program.ended.then(() => (hasEnded = true));
  for (;;) {
    if (hasEnded) throw new Error(program.stderr());
    const status = await ask(where, 'GET', '/readyz').then(
      (reply) => reply.status,
      () => 0,
    );
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * @param {Where} where
 * @param {string} directory
 * @param {{ seconds: number, most: number, onLook: (line: string) => void }} options
 * @returns {Promise<Omit<Report, 'rows'>>}
 */
async function floodAt(where, directory, { seconds, most, onLook }) {
  const random = seeded(1);
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const keeper = await ask(where, 'POST', '/register', {
    body: { username: 'keeper', password: 'correct horse battery staple' },
  });
  const token = keeper.body.access_token;
  const until = performance.now() + seconds * 1000;
  /** @type {Map<number, number>} */
  const statuses = new Map();
  /** @type {number[]} */
  const times = [];
  /** @type {number[]} */
  const megabytes = [];
  let requests = 0;
  let made = 0;

  const network = () =>
    Array.from({ length: 4 }, () => 1 + Math.floor(random.next() * 250)).join('.');
  const name = () => `stranger${made++}`;
  const KINDS = [
    () => ({ path: '/password/forgot', body: { username: `${name()}@example.com` } }),
    () => ({ path: '/register', body: { email: `${name()}@example.org`, password: PASSWORD } }),
    () => ({ path: '/login', body: { username: name(), password: PASSWORD } }),
    () => ({ path: '/login/passkey/options', body: { username: name() } }),
  ];
  const stranger = async () => {
    while (performance.now() < until && requests < most) {
      const kind = KINDS[requests++ % KINDS.length];
      if (kind === undefined) return;
      const { path, body } = kind();
      const headers = { 'x-forwarded-for': network() };
      const { status } = await ask(where, 'POST', path, { body, headers, agent });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const probing = new Agent({ keepAlive: true, maxSockets: 8 });
  const probe = async () => {
    for (
      let due = performance.now();
      due < until && requests < most;
      due += 1000 / PROBES_PER_SECOND
    ) {
      const early = due - performance.now();
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
      void ask(where, 'GET', '/verify', { token, agent: probing }).then(({ status }) => {
        if (status !== 204) throw new Error(`GET /verify answered ${status}`);
        times.push(performance.now() - due);
      });
    }
  };
  const look = () => {
    megabytes.push(sizeOf(directory) / 1e6);
    onLook(
      `${requests} requests, database ${megabytes.at(-1)?.toFixed(1)} MB, GET /verify p99 ${quantile(times.slice(-1000), 0.99).toFixed(1)} ms of the last ${Math.min(times.length, 1000)}`,
    );
  };
  const looking = setInterval(look, Math.max(1_000, (seconds * 1000) / 60));
  await Promise.all([probe(), ...Array.from({ length: CONNECTIONS }, stranger)]);
  clearInterval(looking);
  look();
  agent.destroy();
  probing.destroy();
  return {
    megabytes,
    requests,
    statuses: Object.fromEntries(statuses),
    verifyP50: quantile(times, 0.5),
    verifyP99: quantile(times, 0.99),
  };
}

const PASSWORD = 'correct horse battery staple';

/** The database and its log. @param {string} directory */
function sizeOf(directory) {
  const data = join(directory, 'data');
  return readdirSync(data)
    .filter((file) => file.startsWith('postern.db'))
    .reduce((sum, file) => sum + statSync(join(data, file)).size, 0);
}

/** @param {string} directory @returns {Record<string, number>} */
function rowsIn(directory) {
  const db = new Libsql(join(directory, 'data', 'postern.db'));
  /** @type {[string, number][]} */
  const rows = TABLES.map((table) => {
    const row = db.prepare(`SELECT count(*) AS count FROM ${table}`).get([]);
    return [table, Number(/** @type {{ count: unknown }} */ (row).count)];
  });
  db.close();
  return Object.fromEntries(rows);
}

/** @param {readonly number[]} values @param {number} q */
function quantile(values, q) {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * q)] ?? NaN;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
  const caps = { pending: 5_000, requested: 10_000 };
  const report = await flood({
    seconds: Number(values.minutes) * 60,
    caps,
    onLook: (line) => console.log(line),
  });
  console.log(JSON.stringify({ ...report, megabytes: undefined }, null, 2));
}
