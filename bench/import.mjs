/**
 * `node bench/import.mjs [--users 100000] [--hash bcrypt|md5] [--bar 60]`: `postern import` of so many
 * users into a new database by the built program: time, rate and the most memory; then once more,
 * when all are there. Exits with 1 when the first takes longer than the bar, seconds.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    users: { type: 'string', default: '100000' },
    hash: { type: 'string', default: 'bcrypt' },
    bar: { type: 'string', default: '60' },
    program: { type: 'string', default: 'dist/postern.mjs' },
  },
});
const users = Number(options.users);
const program = join(process.cwd(), options.program);
const folder = mkdtempSync(join(tmpdir(), 'postern-import-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const env = { PATH: process.env['PATH'], POSTERN_SERVER_PUBLIC_URL: 'http://127.0.0.1:7400' };

const file = join(folder, 'users.ndjson');
const out = openSync(file, 'w');
for (let n = 0; n < users; n++) {
  const digest = createHash('sha256').update(String(n)).digest();
  const text = digest.toString('base64').replaceAll(/[+=]/g, '.');
  const bcrypt = `$2b$12$${(text + text).slice(0, 53)}`;
  const md5 = `$md5$${digest.subarray(0, 16).toString('base64')}`;
  const line = {
    external_id: `crm-${n}`,
    username: `user${n}`,
    email: `user${n}@example.com`,
    display_name: `User ${n}`,
    user_metadata: { locale: 'de', plan: 'free' },
    claims: { roles: ['member'] },
    created_at: '2020-05-01T10:00:00Z',
    password_hash: options.hash === 'md5' ? md5 : bcrypt,
  };
  writeSync(out, `${JSON.stringify(line)}\n`);
}
closeSync(out);

// The first start makes the database.
const server = spawn(process.execPath, [program, 'serve'], {
  cwd: folder,
  env: { ...env, POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0', POSTERN_LOG_FORMAT: 'json' },
  stdio: ['ignore', 'pipe', 'ignore'],
});
process.on('exit', () => server.kill('SIGKILL'));
await new Promise((resolve) =>
  server.stdout.on('data', (text) => String(text).includes('server.started') && resolve(undefined)),
);
server.kill('SIGTERM');
await new Promise((resolve) => server.once('exit', resolve));

/** @returns {Promise<{ seconds: number, mebibytes: number, said: string }>} */
async function run() {
  const began = performance.now();
  const child = spawn(process.execPath, [program, 'import', file], {
    cwd: folder,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (said += text));
  let most = 0;
  const watch = setInterval(() => {
    try {
      const [, kib = '0'] =
        /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
      most = Math.max(most, Number(kib) / 1024);
    } catch {
      // It has just ended.
    }
  }, 50);
  const code = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(watch);
  if (code !== 0) throw new Error(`import ended with ${code}: ${said}`);
  return { seconds: (performance.now() - began) / 1000, mebibytes: most, said };
}

const size = statSync(file).size / 1_048_576;
process.stdout.write(`${users} users, ${size.toFixed(1)} MiB, ${options.hash}\n\n`);
process.stdout.write('| run | seconds | users/s | most MiB |\n| --- | --- | --- | --- |\n');
const first = await run();
const again = await run();
for (const [name, { seconds, mebibytes }] of /** @type {const} */ ([
  ['into a new database', first],
  ['once more, all there', again],
]))
  process.stdout.write(
    `| ${name} | ${seconds.toFixed(1)} | ${Math.round(users / seconds)} | ${Math.round(mebibytes)} |\n`,
  );
const listed = execFileSync(process.execPath, [program, 'export'], {
  cwd: folder,
  env,
  encoding: 'utf8',
  maxBuffer: 2 ** 30,
  stdio: ['ignore', 'pipe', 'ignore'],
});
const count = listed.split('\n').length - 1;
if (count !== users) throw new Error(`${count} users came of ${users}`);
process.exit(first.seconds > Number(options.bar) ? 1 : 0);
