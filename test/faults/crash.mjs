/**
 * kill -9 under load, again and again on the same directory: no acknowledged change is lost, none
 * is half done (D01, S01, S03). What the kernel holds survives a kill, so this is about the
 * program, not about the disk's cache.
 *
 *     node test/faults/crash.mjs --rounds 500 [--seed 1]
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import Libsql from 'libsql';
import { LIMITS_OFF } from '../support/limits.mjs';
import { CHEAP, ask, seeded, spawnProgram, whereIs } from '../support/program.mjs';
import { Violation, audit, work } from './ledger.mjs';

/**
 * @typedef {import('./ledger.mjs').Client} Client
 * @typedef {import('./ledger.mjs').Account} Account
 * @typedef {import('../support/program.mjs').Program} Program
 * @typedef {{ rounds: number, seed: number, acknowledged: number, unanswered: number, audited:
 *   number, rotations: number, seconds: number }} Report
 */

const CLIENTS = 8;
/** Accounts of earlier rounds that are looked at again in each round. */
const VETERANS = 4;

/**
 * @param {{ rounds: number, seed: number, onRound?: (line: string) => void }} options
 * @returns {Promise<Report>}
 * @throws {Violation} with the seed and the round; the directory is kept then
 */
export async function crashRounds({ rounds, seed, onRound = () => undefined }) {
  const started = performance.now();
  const directory = mkdtempSync(join(tmpdir(), 'postern-crash-'));
  const random = seeded(seed);
  /** @type {Client[]} */
  const clients = Array.from({ length: CLIENTS }, (_, index) => ({
    where: { host: '127.0.0.1', port: 0 },
    agent: new Agent({ keepAlive: true, maxSockets: 2 }),
    random: seeded(seed * 1000 + index),
    accounts: [],
    name: `crash${index}`,
    made: 0,
    acknowledged: 0,
    statuses: new Map(),
  }));
  /** @type {Account[]} */
  const veterans = [];
  const report = {
    rounds: 0,
    seed,
    acknowledged: 0,
    unanswered: 0,
    audited: 0,
    rotations: 0,
    seconds: 0,
  };
  /** @type {Set<string>} keys whose making was acknowledged */
  const kids = new Set();
  let server = await start(directory, clients, true);
  try {
    for (let round = 1; round <= rounds; round += 1) {
      try {
        const keys = random.next() < 0.5 ? rotateBeside(directory, random) : undefined;
        let isOver = false;
        const working = Promise.all(clients.map((client) => work(client, () => isOver)));
        working.catch(() => (isOver = true));
        await new Promise((resolve) => setTimeout(resolve, random.between(30, 500)));
        server.signal('SIGKILL');
        await server.ended;
        isOver = true;
        await working;
        const kid = await keys?.ended();
        if (kid !== undefined) {
          kids.add(kid);
          report.rotations += 1;
        }
        report.unanswered += clients.flatMap(({ accounts }) => accounts).filter(isUnsure).length;
        inspect(directory);
        const grace = round % 2 === 0;
        server = await start(directory, clients, grace);
        await Promise.all(clients.map((client) => auditAll(client, grace, veterans)));
        await auditKeys(clients, kids);
        for (let again = 0; again < VETERANS && veterans.length > 0; again += 1)
          await audit(random.pick(clients), random.pick(veterans), { grace });
        report.audited += clients.flatMap(({ accounts }) => accounts).length;
        report.rounds = round;
        onRound(
          `round ${round}: ${clients.reduce((sum, { acknowledged }) => sum + acknowledged, 0)} acknowledged so far`,
        );
      } catch (error) {
        throw new Violation(
          `seed ${seed}, round ${round}: ${error instanceof Error ? error.message : String(error)}; ${directory} is kept`,
          { cause: error },
        );
      }
    }
    server.signal('SIGTERM');
    const { code } = await server.ended;
    if (code !== 0)
      throw new Violation(`seed ${seed}: it stopped with ${code}\n${server.stderr()}`);
    rmSync(directory, { recursive: true, force: true });
  } finally {
    server.signal('SIGKILL');
    for (const { agent } of clients) agent.destroy();
  }
  report.acknowledged = clients.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  report.seconds = Math.round((performance.now() - started) / 100) / 10;
  return report;
}

/** @param {boolean} grace @returns {Record<string, string>} */
function environment(grace) {
  return {
    ...CHEAP,
    ...LIMITS_OFF,
    POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0,unix:./postern.sock',
    POSTERN_SERVER_PUBLIC_URL: 'http://127.0.0.1:7400',
    POSTERN_SESSIONS_REFRESH_GRACE: grace ? '30s' : '0s',
    // The audit itself shows wrong passwords, again and again.
    POSTERN_THROTTLE_ATTEMPTS: '100',
  };
}

/**
 * Starts the server where the last one was killed: its socket is still there. Half of the clients
 * come by TCP, half by the socket.
 *
 * @param {string} directory
 * @param {Client[]} clients
 * @param {boolean} grace
 * @returns {Promise<Program>}
 */
async function start(directory, clients, grace) {
  const server = spawnProgram(['serve'], { directory, env: environment(grace) });
  const { listen } = await server.logged('server.started');
  const [tcp = '', unix = ''] = Array.isArray(listen) ? listen.map(String) : [];
  if (unix === '') throw new Violation('the stale socket was not replaced');
  clients.forEach(
    (client, index) =>
      (client.where =
        index % 2 === 0 ? whereIs(tcp) : { socketPath: join(directory, 'postern.sock') }),
  );
  return server;
}

/**
 * `keys rotate` beside the server, some of them killed too.
 *
 * @param {string} directory
 * @param {ReturnType<typeof seeded>} random
 */
function rotateBeside(directory, random) {
  const verb = [
    'keys',
    'rotate',
    '--now',
    '--json',
    ...(random.next() < 0.3 ? ['--internal'] : []),
  ];
  const program = spawnProgram(verb, { directory, env: environment(true) });
  const isKilled = random.next() < 0.5;
  if (isKilled) setTimeout(() => program.signal('SIGKILL'), random.between(100, 700));
  return {
    /** @returns {Promise<string | undefined>} the key that was acknowledged */
    ended: async () => {
      const { code, signal } = await program.ended;
      if (signal === null && code !== 0)
        throw new Violation(`keys rotate ended with ${code}: ${program.stderr()}`);
      const line = program.stdout().split('\n')[0] ?? '';
      if (code !== 0 || verb.includes('--internal')) return undefined;
      return String(JSON.parse(line).kid);
    },
  };
}

/** @param {Client[]} clients @param {Set<string>} kids */
async function auditKeys([client], kids) {
  if (client === undefined) return;
  const { body } = await ask(client.where, 'GET', '/.well-known/jwks.json');
  const published = new Set(body.keys.map((/** @type {{ kid: string }} */ { kid }) => kid));
  for (const kid of kids)
    if (!published.has(kid))
      throw new Violation(`key ${kid} was acknowledged and is not published`);
}

/** @param {Client} client @param {boolean} grace @param {Account[]} veterans */
async function auditAll(client, grace, veterans) {
  for (const account of client.accounts) await audit(client, account, { grace });
  // Some stay for the next round's work, the others are looked at again now and then.
  veterans.push(...client.accounts.splice(0, Math.max(0, client.accounts.length - 2)));
  veterans.push(...client.accounts.filter(({ state }) => state === 'gone'));
  client.accounts = client.accounts.filter(({ state }) => state !== 'gone');
}

/** @param {Account} account */
function isUnsure({ state, passwordUnsure, profileUnsure, loginsUnsure, sessions }) {
  return (
    state === 'unsure' ||
    passwordUnsure !== null ||
    profileUnsure !== 0 ||
    loginsUnsure > 0 ||
    sessions.some((session) => session.state === 'unsure' || session.refreshUnsure)
  );
}

/** What must be nowhere in a database, whatever happened. */
const ABSENT = {
  'a user without a credential':
    'SELECT count(*) FROM "user" WHERE id NOT IN (SELECT user_id FROM password_credential)',
  'a credential of nobody':
    'SELECT count(*) FROM password_credential WHERE user_id NOT IN (SELECT id FROM "user")',
  'a session of nobody':
    'SELECT count(*) FROM session WHERE user_id NOT IN (SELECT id FROM "user")',
  'an end without a reason':
    'SELECT count(*) FROM session WHERE (ended_at IS NULL) <> (end_reason IS NULL)',
  'an end that verifiers do not learn of':
    'SELECT count(*) FROM session WHERE ended_at IS NOT NULL AND id NOT IN (SELECT session_id FROM revocation)',
};

/**
 * Looks into a copy, so that the server itself has to recover the original.
 *
 * @param {string} directory
 */
function inspect(directory) {
  const copies = mkdtempSync(join(tmpdir(), 'postern-crash-copy-'));
  try {
    for (const name of ['postern.db', 'postern.db-wal']) {
      const path = join(directory, 'data', name);
      if (existsSync(path)) copyFileSync(path, join(copies, name));
    }
    const db = new Libsql(join(copies, 'postern.db'));
    const value = (/** @type {string} */ sql) =>
      /** @type {unknown[]} */ (db.prepare(sql).raw(true).get())?.[0];
    const integrity = value('PRAGMA integrity_check');
    if (integrity !== 'ok') throw new Violation(`integrity_check: ${String(integrity)}`);
    if (value('PRAGMA foreign_key_check') !== undefined)
      throw new Violation('foreign_key_check finds rows');
    for (const [what, sql] of Object.entries(ABSENT))
      if (value(sql) !== 0) throw new Violation(`there is ${what}`);
    db.close();
  } finally {
    rmSync(copies, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '20' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  console.log(`seed ${values.seed}`);
  const report = await crashRounds({
    rounds: Number(values.rounds),
    seed: Number(values.seed),
    onRound: (line) => console.log(line),
  });
  console.log(JSON.stringify(report));
}
