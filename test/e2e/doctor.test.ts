/** `postern doctor` on a healthy service, and on planted faults: one finding each. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import Libsql from 'libsql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../support/peers.ts';
import {
  PASSWORD,
  environment,
  fingerprint,
  newDirectory,
  runProgram,
  startServer,
} from '../support/process.ts';
import type { Run, Server } from '../support/process.ts';
import { startSink } from '../support/smtp-sink.ts';
import type { Sink } from '../support/smtp-sink.ts';

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly fact: string;
  readonly remedy: string | null;
}

let sink: Sink;
let server: Server;
let port: number;
/** What `serve` and `doctor` share. */
let shared: Record<string, string>;
beforeAll(async () => {
  sink = await startSink();
  port = await freePort();
  shared = environment({
    POSTERN_SERVER_LISTEN: `tcp://127.0.0.1:${port}`,
    POSTERN_SERVER_PUBLIC_URL: `http://127.0.0.1:${port}`,
    POSTERN_SERVER_MAX_CONNECTIONS: '64',
    POSTERN_MAIL_TRANSPORTS: 'smtp',
    POSTERN_MAIL_SMTP_HOST: '127.0.0.1',
    POSTERN_MAIL_SMTP_PORT: String(sink.port),
    POSTERN_MAIL_SMTP_TLS: 'none',
  });
  server = await startServer({ env: shared });
  await server.register('ada');
  const { code, stderr } = await server.cli(['backup']);
  expect([code, stderr]).toEqual([0, stderr]);
});
afterAll(async () => {
  await server.stop();
  await sink.stop();
});

const findingsOf = ({ stdout }: Run): readonly Finding[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

const doctor = (
  directory: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
) => runProgram(['doctor', '--json', ...args], { directory, env });

describe('a healthy service', () => {
  test('every check runs, none fails, exit code 0, and nothing is changed', async () => {
    const before = fingerprint(join(server.directory, 'data'));
    const run = await doctor(server.directory, shared);
    const findings = findingsOf(run);
    expect(findings.filter(({ status }) => status === 'fail')).toEqual([]);
    expect([run.code, run.stderr]).toEqual([0, '']);
    expect(findings.map(({ check }) => check)).toEqual([
      'secrets-readable',
      'config',
      'folder-mode',
      'database-mode',
      'key-mode',
      'free-space',
      'disk-flush',
      'backup',
      'huge-pages',
      'open-files',
      'database-opens',
      'schema',
      'signing-keys',
      'clock',
      'outbox',
      'running',
      'public-url',
      'mail-smtp',
    ]);
    const after = fingerprint(join(server.directory, 'data'));
    expect(after['key-encryption.key']).toBe(before['key-encryption.key']);
    expect(Object.keys(after)).toEqual(Object.keys(before));
  });

  test('for people: a word, a name, a fact, a remedy', async () => {
    const { stdout } = await runProgram(['doctor'], { directory: server.directory, env: shared });
    expect(stdout).toMatch(/^ok {4}database-mode {6}\S+postern\.db 0600$/m);
    for (const line of stdout.trim().split('\n'))
      expect(line).toMatch(/^(ok {2}|warn|fail) {2}[a-z-]+ +\S/);
  });
});

describe('planted faults', () => {
  test('ten of them, ten findings, each with its remedy, and no secret in any', async () => {
    const other = await startServer();
    const unready = createServer((_, response) =>
      response
        .writeHead(503)
        .end(JSON.stringify({ code: 'not_ready', reasons: ['database_not_writable'] })),
    );
    await new Promise<void>((resolve) => unready.listen(0, '127.0.0.1', resolve));
    const { port: unreadyPort } = unready.address() as AddressInfo;

    const sick = await startServer({ env: { POSTERN_MAIL_TRANSPORTS: 'file' } });
    await sick.register('ada');
    await sick.call('POST', '/register', { body: { email: 'a@example.com', password: PASSWORD } });
    await sick.stop();
    const data = join(sick.directory, 'data');
    const db = new Libsql(join(data, 'postern.db'));
    db.exec(
      "UPDATE session SET last_used_at = last_used_at + 7200000; UPDATE outbox SET state = 'dead'",
    );
    db.close();
    chmodSync(data, 0o777); // 1
    chmodSync(join(data, 'postern.db'), 0o644); // 2
    const canary = `canary-${'x'.repeat(40)}`;
    writeFileSync(join(sick.directory, 'pepper'), canary, { mode: 0o644 });
    chmodSync(join(sick.directory, 'pepper'), 0o644); // 3
    // Another service's key, which others may read. 4, 5
    writeFileSync(
      join(data, 'key-encryption.key'),
      `${Buffer.from('0123456789abcdefghijklmnopqrstuv').toString('base64url')}\n`,
      { mode: 0o644 },
    );
    chmodSync(join(data, 'key-encryption.key'), 0o644);
    writeFileSync(join(data, 'postern.db-last-backup'), '2020-01-01T00:00:00.000Z\n');
    const env = environment({
      POSTERN_SERVER_LISTEN: `tcp://127.0.0.1:${unreadyPort}`,
      POSTERN_SERVER_PUBLIC_URL: other.url,
      POSTERN_PASSWORD_PEPPER_FILE: join(sick.directory, 'pepper'),
      POSTERN_MAIL_TRANSPORTS: 'smtp',
      POSTERN_MAIL_SMTP_HOST: '127.0.0.1',
      POSTERN_MAIL_SMTP_PORT: String(await freePort()),
    });
    const run = await doctor(sick.directory, env);
    const findings = findingsOf(run);
    const failed = findings.filter(({ status }) => status === 'fail');
    expect(failed.map(({ check }) => check).sort()).toEqual(
      [
        'secrets-readable',
        'folder-mode',
        'database-mode',
        'key-mode',
        'signing-keys',
        'clock',
        'outbox',
        'running',
        'public-url',
        'mail-smtp',
      ].sort(),
    );
    expect(findings.find(({ check }) => check === 'backup')?.status).toBe('warn');
    expect(failed.find(({ check }) => check === 'running')?.fact).toContain(
      'database_not_writable',
    );
    expect(failed.find(({ check }) => check === 'folder-mode')?.remedy).toContain('chmod 0700');
    expect(failed.find(({ check }) => check === 'clock')?.fact).toMatch(/7\d\d\d s behind/);
    expect(run.code).toBe(1);
    expect(run.stdout + run.stderr).not.toContain(canary);
    await new Promise((resolve) => unready.close(resolve));
    await other.stop();
  });

  test('a configuration that is refused is one finding for each fault, and ends the examination', async () => {
    const directory = newDirectory();
    writeFileSync(
      join(directory, 'config.toml'),
      '[tokens]\nacces_ttl = "5m"\nalgorithm = "ES265"\n',
    );
    const run = await doctor(directory, {});
    expect(run.code).toBe(1);
    expect(findingsOf(run).map(({ check, status }) => `${check} ${status}`)).toEqual([
      'config fail',
      'config fail',
    ]);
    expect(run.stdout).toContain('config.toml:2:1');
  });

  test('before the first start: warnings, and no database is made', async () => {
    const directory = newDirectory();
    const run = await doctor(directory, environment());
    const byCheck = new Map(findingsOf(run).map(({ check, status }) => [check, status]));
    expect(byCheck.get('database-opens')).toBe('warn');
    expect(byCheck.get('folder-mode')).toBe('warn');
    expect(Object.keys(fingerprint(directory))).toEqual([]);
  });
});

describe('postern health', () => {
  test('says why the service is not ready, by the reasons of /readyz', async () => {
    const directory = newDirectory();
    mkdirSync(join(directory, 'run'));
    const path = join(directory, 'run/postern.sock');
    const unready = createServer((_, response) =>
      response.writeHead(503).end(
        JSON.stringify({
          code: 'not_ready',
          request_id: 'x-1',
          reasons: ['migrations_pending', 'no_signing_key'],
        }),
      ),
    );
    await new Promise<void>((resolve) => unready.listen(path, resolve));
    const env = {
      POSTERN_SERVER_LISTEN: 'systemd:',
      POSTERN_SERVER_PUBLIC_URL: 'http://localhost',
    };
    const run = await runProgram(['health', '--socket', path], { directory, env });
    expect([run.code, run.stderr]).toEqual([1, 'not ready: migrations_pending, no_signing_key\n']);
    await new Promise((resolve) => unready.close(resolve));
    const gone = await runProgram(['health', '--socket', path], { directory, env });
    expect([gone.code, gone.stderr]).toEqual([1, 'not ready: ENOENT\n']);
  });

  test('of a running service it says ready', async () => {
    const run = await runProgram(['health'], { directory: server.directory, env: shared });
    expect([run.code, run.stdout]).toEqual([0, 'ready\n']);
  });
});
