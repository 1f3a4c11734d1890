/**
 * Backups: of a service at work, encrypted or not, restored whole; altered archives, wrong keys, and
 * kill -9 in between.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  PASSWORD,
  environment,
  eventually,
  fingerprint,
  newDirectory,
  runProgram,
  startServer,
} from '../support/process.ts';
import type { Run, Server } from '../support/process.ts';
import { spawnProgram } from '../support/program.mjs';

const DATABASE_KEY = 'a long enough key of a database';
const ENCRYPTED = { POSTERN_DATABASE_ENCRYPTION_KEY: DATABASE_KEY };

const cli = (
  directory: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Run> => runProgram(args, { directory, env: environment(env) });

const done = (run: Run): Run => {
  expect([run.code, run.stderr]).toEqual([0, run.stderr]);
  return run;
};

/** A service with one user, stopped, and its archive. */
async function backedUp(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const server = await startServer({ env });
  await server.register('ada');
  done(await server.cli(['backup', '--to', 'b.tar'], { env }));
  await server.stop();
  return server.directory;
}

const refresh = (server: Server, token: string) =>
  server.call('POST', '/refresh', { body: { refresh_token: token } });

describe.each([
  ['a plain database', {}],
  ['an encrypted database', ENCRYPTED],
])('%s', (_, env) => {
  test('taken under load it holds everything that was acknowledged before it began', async () => {
    const server = await startServer({ env });
    const acknowledged: string[] = [];
    let isOver = false;
    const load = Array.from({ length: 8 }, async (_, lane) => {
      for (let n = 0; !isOver; n++) {
        const name = `user-${lane}-${n}`;
        const body = { username: name, password: PASSWORD };
        const reply = await server.call('POST', '/register', { body }).catch(() => undefined);
        if (reply?.status === 201) acknowledged.push(name);
      }
    });
    await eventually(() => acknowledged.length >= 20, 60_000);
    const before = [...acknowledged];
    done(await server.cli(['backup', '--to', 'b.tar'], { env }));
    isOver = true;
    await Promise.all(load);
    await server.kill();

    const place = newDirectory();
    done(await cli(place, ['restore', join(server.directory, 'b.tar')], env));
    const names = done(await cli(place, ['user', 'list', '--json'], env))
      .stdout.split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line).username);
    expect(before.filter((name) => !names.includes(name))).toEqual([]);
    const restored = await startServer({ directory: place, env });
    expect((await restored.login(before[0] ?? '')).status).toBe(200);
    await restored.stop();
  });
});

describe('what is in it', () => {
  test('an archive for its owner alone: manifest, key, database; nothing is left beside it', async () => {
    const directory = await backedUp();
    expect(statSync(join(directory, 'b.tar')).mode & 0o777).toBe(0o600);
    const listed = execFileSync('tar', ['-tf', join(directory, 'b.tar')], { encoding: 'utf8' });
    expect(listed.trim().split('\n')).toEqual([
      'manifest.json',
      'key-encryption.key',
      'postern.db',
    ]);
    expect(readdirSync(directory).sort()).toEqual(['b.tar', 'data']);
    expect(
      Date.parse(readFileSync(join(directory, 'data/postern.db-last-backup'), 'utf8').trim()),
    ).toBeGreaterThan(0);
  });

  test('of an encrypted database, the archive is encrypted as well, and its key is not in it', async () => {
    const directory = await backedUp(ENCRYPTED);
    const bytes = readFileSync(join(directory, 'b.tar')).toString('latin1');
    for (const text of ['SQLite format 3', 'ada', DATABASE_KEY])
      expect([text, bytes.includes(text)]).toEqual([text, false]);
    const { code, stderr } = await cli(newDirectory(), ['restore', join(directory, 'b.tar')]);
    expect([code, stderr]).toEqual([78, expect.stringContaining('set database.encryption_key')]);
    const wrong = { POSTERN_DATABASE_ENCRYPTION_KEY: 'another key that is long enough' };
    const place = newDirectory();
    const refused = await cli(place, ['restore', join(directory, 'b.tar')], wrong);
    expect([refused.code, refused.stderr]).toEqual([
      78,
      expect.stringContaining("can't be read with this key"),
    ]);
    expect(readdirSync(join(place, 'data'))).toEqual([]);
  });

  test('sealed to a recovery key: no key is readable in it, postern opens it, and so does openssl', async () => {
    const server = await startServer({ env: ENCRYPTED });
    await server.register('ada');
    const { directory } = server;
    const openssl = (...args: string[]): Buffer =>
      execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
    openssl(
      'genpkey',
      '-algorithm',
      'RSA',
      '-pkeyopt',
      'rsa_keygen_bits:3072',
      '-out',
      'recovery.pem',
    );
    openssl('pkey', '-in', 'recovery.pem', '-pubout', '-out', 'recovery.pub');
    const withPrivate = await server.cli([
      'backup',
      '--to',
      'b.tar',
      '--recovery-key',
      'recovery.pem',
    ]);
    expect([withPrivate.code, withPrivate.stderr]).toEqual([
      1,
      expect.stringContaining('give the public one'),
    ]);
    done(await server.cli(['backup', '--to', 'b.tar', '--recovery-key', 'recovery.pub']));
    await server.stop();
    const bytes = readFileSync(join(directory, 'b.tar')).toString('latin1');
    const key = readFileSync(join(directory, 'data/key-encryption.key'), 'utf8');
    for (const secret of [key.trim(), DATABASE_KEY]) expect(bytes.includes(secret)).toBe(false);

    openssl('version');
    execFileSync('tar', ['-xf', 'b.tar'], { cwd: directory });
    const oaep = ['-pkeyopt', 'rsa_padding_mode:oaep', '-pkeyopt', 'rsa_oaep_md:sha256'];
    const opened = openssl(
      'pkeyutl',
      '-decrypt',
      '-inkey',
      'recovery.pem',
      ...oaep,
      '-in',
      'key-encryption.key.rsa-oaep-sha256',
    );
    expect(opened.toString()).toBe(key);

    const place = newDirectory();
    const archive = join(directory, 'b.tar');
    const without = await cli(place, ['restore', archive]);
    expect([without.code, without.stderr]).toEqual([78, expect.stringContaining('--recovery-key')]);
    const run = done(
      await cli(place, ['restore', archive, '--recovery-key', join(directory, 'recovery.pem')]),
    );
    expect(run.stderr).toContain('set database.encryption_key to the key that was in the archive');
    const restored = await startServer({ directory: place, env: ENCRYPTED });
    expect((await restored.login('ada')).status).toBe(200);
    await restored.stop();
  });

  test('without its key it restores where the key is, and nowhere else', async () => {
    const server = await startServer();
    await server.register('ada');
    done(await server.cli(['backup', '--to', 'b.tar', '--without-key']));
    await server.stop();
    const { directory } = server;
    const elsewhere = await cli(newDirectory(), ['restore', join(directory, 'b.tar')]);
    expect([elsewhere.code, elsewhere.stderr]).toEqual([
      78,
      expect.stringContaining('the archive contains no key'),
    ]);
    done(await cli(directory, ['restore', 'b.tar', '--yes']));
    // Another service's key does not open it, which is found before anything is replaced.
    const other = await backedUp();
    const before = fingerprint(join(other, 'data'));
    const refused = await cli(other, ['restore', join(directory, 'b.tar'), '--yes']);
    expect(refused.code).toBe(78);
    expect(fingerprint(join(other, 'data'))).toEqual(before);
  });
});

describe('restoring', () => {
  test('clients that refreshed since are signed out, which is no theft in the log; others go on', async () => {
    const server = await startServer();
    const moved = await server.register('moved');
    const stayed = await server.register('stayed');
    done(await server.cli(['backup', '--to', 'b.tar']));
    const later = (await refresh(server, moved.refresh)).body.refresh_token;
    await server.stop();
    const run = done(await cli(server.directory, ['restore', 'b.tar', '--yes']));
    expect(run.stderr).toContain('session.rolled_back, which is no theft');
    const again = await startServer({ directory: server.directory });
    const reply = await refresh(again, later);
    expect([reply.status, reply.body.code]).toEqual([401, 'session_revoked']);
    expect((await refresh(again, moved.refresh)).body.code).toBe('session_revoked');
    expect((await refresh(again, stayed.refresh)).status).toBe(200);
    await again.stop();
    const events = again.log().map(({ event }) => event);
    expect(events).toContain('session.rolled_back');
    expect(events).not.toContain('refresh_token.reused');
  });

  test('codes and emails that waited are void: what was spent since is not good again', async () => {
    const server = await startServer();
    await server.call('POST', '/register', {
      body: { email: 'ada@example.com', password: PASSWORD },
    });
    done(await server.cli(['backup', '--to', 'b.tar']));
    await server.stop();
    const run = done(await cli(server.directory, ['restore', 'b.tar', '--yes', '--json']));
    expect(JSON.parse(run.stdout).voided_codes).toBe(1);
  });

  test('it asks first, keeps what was there, and does not touch a database that is in use', async () => {
    const server = await startServer();
    await server.register('ada');
    done(await server.cli(['backup', '--to', 'b.tar']));
    await server.register('after');
    const running = await server.cli(['restore', 'b.tar', '--yes']);
    expect([running.code, running.stderr]).toEqual([
      1,
      expect.stringContaining('Stop the service first'),
    ]);
    expect((await server.login('after')).status).toBe(200);
    await server.stop();
    const asked = await cli(server.directory, ['restore', 'b.tar']);
    expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('add --yes')]);
    const dry = done(await cli(server.directory, ['restore', 'b.tar', '--dry-run']));
    expect(dry.stdout).toContain('would replace');
    const run = done(await cli(server.directory, ['restore', 'b.tar', '--yes', '--json']));
    const { kept } = JSON.parse(run.stdout);
    const [, old = ''] = kept;
    const users = async (env = {}) =>
      done(await cli(server.directory, ['user', 'list'], env)).stdout;
    expect(await users()).not.toContain('after');
    expect(await users({ POSTERN_DATABASE_URL: `file:${old}` })).toContain('after');
  });

  test.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
    [
      'a byte of the database altered',
      (b) => flipped(b, b.length - 20_000),
      /postern\.db in it does not match its manifest/,
    ],
    [
      'a byte of the key altered',
      (b) => flipped(b, b.indexOf('key-encryption.key\0') + 520),
      /key-encryption\.key in it does not match/,
    ],
    ['cut off', (b) => b.subarray(0, b.length - 50_000), /truncated/],
    ['empty', () => Buffer.alloc(0), /truncated/],
    ['something else', () => Buffer.alloc(4_096, 'nonsense'), /not an archive/],
    [
      'a name that leads elsewhere',
      (b) => renamed(b, 'key-encryption.key', '../../etc/key.key'),
      /a file that no backup has/,
    ],
  ])('an archive with %s is refused, and nothing is changed', async (_, alter, message) => {
    const directory = await backedUp();
    writeFileSync(join(directory, 'bad.tar'), alter(readFileSync(join(directory, 'b.tar'))));
    const before = fingerprint(join(directory, 'data'));
    const { code, stderr } = await cli(directory, ['restore', 'bad.tar', '--yes']);
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
    expect(fingerprint(join(directory, 'data'))).toEqual(before);
  });
});

describe('kill -9 in between (D01)', () => {
  test('of a backup: the archive is whole or is not there, and the service never notices', async () => {
    const server = await startServer();
    await server.register('ada');
    for (const delay of [50, 150, 250, 350, 450]) {
      const program = spawnProgram(['backup', '--to', 'killed.tar'], {
        directory: server.directory,
        env: environment(),
      });
      await new Promise((resolve) => setTimeout(resolve, delay));
      program.signal('SIGKILL');
      await program.ended;
      if (existsSync(join(server.directory, 'killed.tar')))
        done(await server.cli(['restore', 'killed.tar', '--dry-run']));
      expect((await server.login('ada')).status).toBe(200);
    }
    done(await server.cli(['backup', '--to', 'killed.tar']));
    await server.stop();
  });

  test('of a restore: the old state or the new one, whole, and it can be run again', async () => {
    const directory = await backedUp();
    for (const delay of [100, 200, 250, 300, 350, 400, 500]) {
      const program = spawnProgram(['restore', 'b.tar', '--yes'], {
        directory,
        env: environment(),
      });
      await new Promise((resolve) => setTimeout(resolve, delay));
      program.signal('SIGKILL');
      await program.ended;
      expect(done(await cli(directory, ['user', 'list'])).stdout).toContain('ada');
    }
    done(await cli(directory, ['restore', 'b.tar', '--yes']));
    const server = await startServer({ directory });
    expect((await server.login('ada')).status).toBe(200);
    await server.stop();
  });
});

test('where it can not be written, or there is nothing yet, it says so and leaves nothing', async () => {
  const directory = newDirectory();
  const none = await cli(directory, ['backup']);
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('there is no database')]);
  const server = await startServer({ directory });
  mkdirSync(join(directory, 'other'));
  const missing = await server.cli(['backup', '--to', 'missing/b.tar']);
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('is not a folder')]);
  await server.stop();
});

function flipped(bytes: Buffer, at: number): Buffer {
  const altered = Buffer.from(bytes);
  altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
  return altered;
}

/** Another name for an entry, with the checksum that tar wants. */
function renamed(bytes: Buffer, from: string, to: string): Buffer {
  const altered = Buffer.from(bytes);
  const at = altered.indexOf(`${from}\0`);
  altered.fill(0, at, at + 100);
  altered.write(to, at, 'latin1');
  altered.fill(' ', at + 148, at + 156);
  const sum = altered.subarray(at, at + 512).reduce((all, byte) => all + byte, 0);
  altered.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
  return altered;
}
