/**
 * `node bench/admin.mjs [--users 100000] [--rounds 300] [--bar 20]`: pages, prefix searches and look-ups
 * of administration over HTTP, against the built program with so many users in its file. Prints a
 * Markdown table, and exits with 1 when the p99 of one is above the bar, milliseconds. The requests
 * come one after another over one connection: what one caller waits for.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Libsql from 'libsql';

const { values: options } = parseArgs({
  options: {
    users: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '300' },
    bar: { type: 'string', default: '20' },
    program: { type: 'string', default: 'dist/postern.mjs' },
  },
});
const users = Number(options.users);
const rounds = Number(options.rounds);
const program = join(process.cwd(), options.program);

const folder = mkdtempSync(join(tmpdir(), 'postern-admin-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** @returns {Promise<number>} */
const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });

const port = await freePort();
const env = {
  PATH: process.env['PATH'],
  POSTERN_SERVER_LISTEN: `tcp://127.0.0.1:${port}`,
  POSTERN_ADMIN_ENABLED: 'true',
  POSTERN_LOG_LEVEL: 'error',
  POSTERN_LOG_FORMAT: 'json',
};
const child = spawn(process.execPath, [program, 'serve'], { cwd: folder, env, stdio: 'ignore' });
process.on('exit', () => child.kill('SIGKILL'));
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/**
 * @param {string} path
 * @param {Record<string, string>} [headers]
 * @returns {Promise<{ status: number, text: string }>}
 */
const get = (path, headers = {}) =>
  new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, headers, agent }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    sent.on('error', reject).end();
  });

for (;;) {
  const { status } = await get('/healthz').catch(() => ({ status: 0 }));
  if (status === 200) break;
  await new Promise((resolve) => setTimeout(resolve, 50));
}
const key = execFileSync(
  process.execPath,
  [program, 'apikey', 'create', 'bench', '--scope', 'admin'],
  {
    cwd: folder,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  },
).trim();
const headers = { 'postern-key': key };

/** The id of the nth user, increasing. */
const idOf = (/** @type {number} */ n) => {
  const time = (1_700_000_000_000 + n).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${n.toString(16).padStart(12, '0')}`;
};
/** A name that begins anyhow. */
const nameOf = (/** @type {number} */ n) =>
  createHash('sha256')
    .update(String(n))
    .digest('base64')
    .toLowerCase()
    .replaceAll(/[^a-z]/g, '')
    .slice(0, 12);

const db = new Libsql(join(folder, 'data/postern.db'));
db.exec('PRAGMA busy_timeout = 10000');
const insert = db.prepare(
  'INSERT INTO user (id, username, username_canonical, email, email_canonical, external_id, user_metadata, claims, disabled_at, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
);
for (let from = 0; from < users; from += 5_000) {
  db.exec('BEGIN IMMEDIATE');
  for (let n = from; n < Math.min(from + 5_000, users); n++) {
    const name = `${nameOf(n)}${n}`;
    const email = `${name}@example.com`;
    const at = 1_700_000_000_000 + n;
    const disabledAt = n % 100 === 0 ? at : null;
    insert.run(
      idOf(n),
      name,
      name,
      email,
      email,
      `crm-${n}`,
      '{"locale":"de"}',
      '{"roles":["a"]}',
      disabledAt,
      at,
      at,
    );
  }
  db.exec('COMMIT');
}
db.close();
// Idle for longer than a connection is kept.
agent.destroy();

/** The cursor half way through a search. */
const half = Math.floor(users / 2);
const cursor = Buffer.from(`id:${idOf(half)}`).toString('base64url');
/** @type {readonly (readonly [name: string, path: (n: number) => string])[]} */
const questions = [
  ['first page of 50', () => '/admin/users'],
  ['page of 50, half way', () => `/admin/users?cursor=${cursor}`],
  ['page of 200, half way', () => `/admin/users?limit=200&cursor=${cursor}`],
  ['search, 1 letter', (n) => `/admin/users?search=${'abcdefghij'[n % 10]}`],
  ['search, 3 letters', (n) => `/admin/users?search=${nameOf(n).slice(0, 3)}`],
  ['search, whole name', (n) => `/admin/users?search=${nameOf(n)}${n}`],
  ['search, nobody', () => '/admin/users?search=zzzzzzzz'],
  [
    'search, 1 letter, disabled',
    (n) => `/admin/users?disabled=true&search=${'abcdefghij'[n % 10]}`,
  ],
  ['disabled users', () => '/admin/users?disabled=true'],
  ['external_id', (n) => `/admin/users?external_id=crm-${n * 7}`],
  ['email', (n) => `/admin/users?email=${nameOf(n)}${n}%40example.com`],
  ['one user, whole', (n) => `/admin/users/${idOf(n * 7)}`],
];
const at = (/** @type {number[]} */ sorted, /** @type {number} */ share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
process.stdout.write(`${users} users, ${rounds} requests each\n\n`);
process.stdout.write('| question | p50 ms | p99 ms | most ms |\n| --- | --- | --- | --- |\n');
let isMissed = false;
for (const [name, path] of questions) {
  /** @type {number[]} */
  const times = [];
  for (let n = -20; n < rounds; n++) {
    const began = performance.now();
    const { status, text } = await get(path(Math.abs(n)), headers);
    if (status !== 200) throw new Error(`${name}: ${status} ${text}`);
    if (n >= 0) times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  const [p50, p99, most] = [at(times, 0.5), at(times, 0.99), at(times, 1)];
  isMissed ||= p99 > Number(options.bar);
  process.stdout.write(
    `| ${name} | ${p50.toFixed(2)} | ${p99.toFixed(2)} | ${most.toFixed(2)} |\n`,
  );
}
child.kill('SIGTERM');
await new Promise((resolve) => child.once('exit', resolve));
process.exit(isMissed ? 1 : 0);
