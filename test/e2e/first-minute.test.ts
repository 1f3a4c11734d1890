/**
 * The first minute of a newcomer: README's commands, as they stand there, in a fresh clone. Only
 * `npm ci` is left out: its folder is lent.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, eventually, newDirectory } from '../support/process.ts';
import { freePort } from '../support/peers.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

/** The fenced block after a marker of README. */
function block(readme: string, marker: string): string {
  const text = new RegExp(`<!-- ${marker} -->\n\`\`\`\\w+\n([\\s\\S]*?)\n\`\`\``).exec(readme)?.[1];
  if (text === undefined) throw new Error(`README has no block after <!-- ${marker} -->`);
  return text;
}

let clone: string;
let readme: string;
let port: number;
let server: ChildProcess;
let said = '';
let readyMs = 0;
/** README's address, or another one where something of this machine's has it already. */
const placed = (text: string): string => text.replaceAll('127.0.0.1:7400', `127.0.0.1:${port}`);
const environment = (): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: clone,
  ...(port === 7_400
    ? {}
    : { POSTERN_SERVER_LISTEN: `tcp://127.0.0.1:${port}`, ISSUER: `http://127.0.0.1:${port}` }),
});

beforeAll(async () => {
  clone = join(newDirectory(), 'postern');
  const trust = {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: '*',
  };
  execFileSync('git', ['clone', '--quiet', ROOT, clone], {
    env: { PATH: process.env['PATH'], ...trust },
    stdio: 'pipe',
  });
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  readme = readFileSync(join(clone, 'README.md'), 'utf8');
  port = (await isFree(7_400)) ? 7_400 : await freePort();
  const command = block(readme, 'run-command');
  expect(command).toContain('npm ci');
  const started = performance.now();
  // A group of its own: npm and the shell do not hand signals on.
  server = spawn('sh', ['-ec', placed(command.replace('npm ci', ':'))], {
    cwd: clone,
    env: environment(),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  server.stdout?.on('data', (chunk) => (said += String(chunk)));
  server.stderr?.on('data', (chunk) => (said += String(chunk)));
  await eventually(async () => {
    if (server.exitCode !== null) throw new Error(said);
    return (
      (await ask({ host: '127.0.0.1', port }, 'GET', '/readyz').catch(() => undefined))?.status ===
      200
    );
  }, 30_000);
  readyMs = performance.now() - started;
});
afterAll(async () => {
  if (server?.pid === undefined) return;
  const ended = new Promise((resolve) => server.once('close', resolve));
  process.kill(-server.pid, 'SIGTERM');
  await ended;
});

describe('the first minute (README, Try it)', () => {
  test('set up and run: built and ready within a few seconds, with no configuration, no account and nothing else to run', () => {
    expect(readyMs).toBeLessThan(20_000);
    expect(said).toContain('server.started');
  });

  test('one curl registers, and a sibling verifies its token', async () => {
    const { stdout } = await run('bash', ['--norc', '-ec', placed(block(readme, 'try-it'))], {
      cwd: clone,
      env: environment(),
    });
    expect(stdout).toContain(`iss: 'http://127.0.0.1:${port}'`);
    expect(stdout).toMatch(/sub: '[0-9a-f-]{36}'/);
    // The token it was about was real: its account signs in.
    const { status } = await ask({ host: '127.0.0.1', port }, 'POST', '/login', {
      body: { username: 'ada', password: 'correct horse battery staple' },
    });
    expect(status).toBe(200);
  });

  test("the sibling's lines verify a token as they stand there, at most six of them, and refuse another", async () => {
    const code = block(readme, 'sibling');
    expect(code.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(6);
    writeFileSync(join(clone, 'sibling.mjs'), `const token = process.argv[2];\n${placed(code)}\n`);
    const { body } = await ask({ host: '127.0.0.1', port }, 'POST', '/register', {
      body: { username: 'grace', password: 'correct horse battery staple' },
    });
    const { stdout } = await run(process.execPath, ['sibling.mjs', body.access_token], {
      cwd: clone,
    });
    expect(stdout).toBe(`${body.user.id} ${body.session_id} aal1\n`);
    await expect(
      run(process.execPath, ['sibling.mjs', body.refresh_token], { cwd: clone }),
    ).rejects.toThrow();
  });

  test('the answer that README shows has the members that the service sends', async () => {
    const shown =
      /`\/register` and `\/login` answer:\n\n```json\n([\s\S]*?)\n```/.exec(readme)?.[1] ?? '{}';
    const { body } = await ask({ host: '127.0.0.1', port }, 'POST', '/login', {
      body: { username: 'ada', password: 'correct horse battery staple' },
    });
    expect(Object.keys(body).sort()).toEqual(Object.keys(JSON.parse(shown)).sort());
  });
});

function isFree(wanted: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(wanted, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
