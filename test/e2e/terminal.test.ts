/** The first lines on a real pseudo-terminal, and what a start that fails says: one line each. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import Libsql from 'libsql';
import { freePort } from '../support/peers.ts';
import { COMMAND } from '../support/program.mjs';
import {
  PASSWORD,
  UNPRIVILEGED,
  ask,
  environment,
  eventually,
  newDirectory,
  newUnprivilegedDirectory,
  runProgram,
  startServer,
} from '../support/process.ts';

const SCRIPT = '/usr/bin/script';

describe.skipIf(!existsSync(SCRIPT))('on a pseudo-terminal', () => {
  test('six lines with every address, no JSON and no secret; Ctrl-C ends it with 0', async () => {
    const directory = newDirectory();
    const port = await freePort();
    const quoted = COMMAND.map((word) => `'${word}'`).join(' ');
    const child = spawn(
      SCRIPT,
      ['--quiet', '--return', '--command', `stty cols 120; exec ${quoted}`, '/dev/null'],
      {
        cwd: directory,
        env: {
          PATH: process.env['PATH'],
          TERM: 'xterm',
          POSTERN_SERVER_LISTEN: `tcp://127.0.0.1:${port}`,
        },
      },
    );
    let said = '';
    child.stdout.on('data', (chunk) => (said += String(chunk)));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await eventually(() => said.includes('  config'), 30_000);
    const lines = said.replaceAll('\r', '').trim().split('\n');
    expect(lines).toEqual([
      expect.stringMatching(/^postern \d+\.\d+\.\d+ is ready \(\d+ ms\)$/),
      expect.stringMatching(
        new RegExp(`^  API {7}http://127\\.0\\.0\\.1:${port} +GET /openapi\\.json$`),
      ),
      expect.stringMatching(
        /^ {2}keys {6}http:\/\/127\.0\.0\.1:\d+\/\.well-known\/jwks\.json {3}ES256, kid .{4}…$/,
      ),
      expect.stringMatching(/^ {2}database {2}\.\/data\/postern\.db +new$/),
      expect.stringMatching(
        /^ {2}mail {6}\.\/data\/mail\/\*\.eml +nothing is sent: \[mail\] transports is empty$/,
      ),
      expect.stringMatching(/^ {2}config {4}defaults +`postern init` writes config\.toml$/),
    ]);
    const where = { host: '127.0.0.1', port };
    const ada = { username: 'ada', password: PASSWORD };
    const { body } = await ask(where, 'POST', '/register', { body: ada });
    await ask(where, 'POST', '/login', { body: { ...ada, password: 'not the right one' } });
    await ask(where, 'GET', '/me', { token: body.access_token });
    await ask(where, 'DELETE', `/me/sessions/${body.session_id}`, { token: body.access_token });
    await eventually(() => said.includes('/me/sessions/{id}'), 30_000);
    const requests = said.replaceAll('\r', '').trim().split('\n').slice(lines.length);
    const plain = requests.map((line) => line.replaceAll(/\u001b\[\d+m/g, ''));
    expect(plain).toEqual([
      expect.stringMatching(
        /^[\d:.]{12} POST {4}\/register +201 +[\d.]+ ms {2}ada {2}user\.registered sign_in\.succeeded$/,
      ),
      expect.stringMatching(/^[\d:.]{12} POST {4}\/login +401 +[\d.]+ ms .*invalid_credentials$/),
      expect.stringMatching(/^[\d:.]{12} GET {5}\/me +200 +[\d.]+ ms {2}ada$/),
      expect.stringMatching(
        /^[\d:.]{12} DELETE {2}\/me\/sessions\/\{id\} +204 +[\d.]+ ms {2}ada {2}session\.ended$/,
      ),
    ]);
    expect(Math.max(...plain.map((line) => line.length))).toBeLessThanOrEqual(120);
    child.stdin.write('\u0003');
    expect(await ended).toBe(0);
  });

  test('--log-format json writes the details as JSON lines on a terminal too', async () => {
    const quoted = COMMAND.map((word) => `'${word}'`).join(' ');
    const child = spawn(
      SCRIPT,
      ['--quiet', '--return', '--command', `exec ${quoted} --log-format json`, '/dev/null'],
      {
        cwd: newDirectory(),
        env: {
          PATH: process.env['PATH'],
          TERM: 'xterm',
          POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0',
        },
      },
    );
    let said = '';
    child.stdout.on('data', (chunk) => (said += String(chunk)));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await eventually(() => said.includes('server.started'), 30_000);
    const started = JSON.parse(said.split('\n')[0] ?? '');
    expect(started).toMatchObject({ event: 'server.started' });
    const where = { host: '127.0.0.1', port: Number(new URL(started.listen[0]).port) };
    const body = { username: 'whoever', password: PASSWORD };
    await ask(where, 'POST', '/register', { body });
    await eventually(() => said.includes('http.request'), 30_000);
    // Names of users are for the terminal: JSON lines go elsewhere, and have ids alone.
    expect(said).toContain('sign_in.succeeded');
    expect(said).not.toMatch(/whoever|user\.name/);
    child.stdin.write('\u0003');
    expect(await ended).toBe(0);
  });
});

/** What a start says, and its exit code. */
const start = (directory: string, env: Record<string, string> = {}, uid?: number) =>
  runProgram(['serve'], {
    directory,
    env: environment(env),
    ...(uid === undefined ? {} : { uid }),
  });

describe('a start that fails says in one line what to do', () => {
  test('the port is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const { code, stderr } = await start(newDirectory(), {
      POSTERN_SERVER_LISTEN: `tcp://127.0.0.1:${port}`,
    });
    taken.close();
    expect([code, stderr]).toEqual([
      1,
      `127.0.0.1:${port} is taken by another program. Stop it, or set server.listen (POSTERN_SERVER_LISTEN).\n`,
    ]);
  });

  test('the folder may not be written', async () => {
    const directory = newUnprivilegedDirectory();
    chmodSync(directory, 0o555);
    const { code, stderr } = await start(directory, {}, UNPRIVILEGED);
    expect(code).toBe(78);
    expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/can't be created: EACCES/)]);
    chmodSync(directory, 0o755);
  });

  test('a newer version wrote the database, or its key is another one', async () => {
    const server = await startServer({
      env: { POSTERN_DATABASE_ENCRYPTION_KEY: 'a key that is long enough' },
    });
    await server.stop();
    const wrong = await start(server.directory, {
      POSTERN_DATABASE_ENCRYPTION_KEY: 'another that is long enough',
    });
    expect([wrong.code, wrong.stderr.trim().split('\n').length]).toEqual([78, 1]);
    expect(wrong.stderr).toContain('Is database.encryption_key the one that it was created with?');
    const plain = await startServer();
    await plain.stop();
    const db = new Libsql(join(plain.directory, 'data/postern.db'));
    db.exec("INSERT INTO migration (tag, checksum, applied_at) VALUES ('9999_future', 'x', 1)");
    db.close();
    const newer = await start(plain.directory);
    expect([newer.code, newer.stderr.trim().split('\n').length]).toEqual([78, 1]);
    expect(newer.stderr).toContain('written by a newer postern');
  });

  test('a secret’s file that can not be read: its name, and who tried', async () => {
    const directory = newUnprivilegedDirectory();
    mkdirSync(join(directory, 'secrets'), { mode: 0o755 });
    const file = join(directory, 'secrets/pepper');
    writeFileSync(file, 'x'.repeat(40), { mode: 0o000 });
    const { code, stderr } = await start(
      directory,
      { POSTERN_PASSWORD_PEPPER_FILE: file },
      UNPRIVILEGED,
    );
    expect(code).toBe(78);
    expect(stderr).toContain('POSTERN_PASSWORD_PEPPER_FILE');
    expect(stderr).toContain(`"${file}", which may not be read by this user`);
  });
});
