/**
 * Disks and files that are not as they should be (D01): the program refuses at start with one
 * sentence, no stack, an exit code that an init system can act on, and nothing changed; and a disk
 * that fills while it runs costs no acknowledged change.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import Libsql from 'libsql';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  UNPRIVILEGED,
  environment,
  eventually,
  fingerprint,
  newDirectory,
  newUnprivilegedDirectory,
  runProgram,
  startServer,
} from '../support/process.ts';
import type { Run, Server } from '../support/process.ts';

/** A directory with a database that a server has used and left in good order, to be copied. */
let used: string;
beforeAll(async () => {
  used = newDirectory();
  const server = await startServer({ directory: used });
  for (const name of ['ada', 'grace', 'barbara']) await server.register(name);
  await server.stop();
});

function copyOfUsed(): { directory: string; database: string; key: string } {
  const directory = newDirectory();
  cpSync(used, directory, { recursive: true });
  return {
    directory,
    database: join(directory, 'data/postern.db'),
    key: join(directory, 'data/key-encryption.key'),
  };
}

async function serve(
  directory: string,
  env: Record<string, string> = {},
  wrap: readonly string[] = [],
  uid?: number,
): Promise<Run> {
  return runProgram(['serve'], {
    directory,
    env: environment(env),
    wrap,
    ...(uid === undefined ? {} : { uid }),
  });
}

/**
 * One sentence or two for an operator, and no more: no stack, no secret, no place in the source.
 */
function expectRefusal(run: Run, code: 1 | 78, message: RegExp): void {
  const told = run.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('warning:'));
  expect(told, run.stdout).toHaveLength(1);
  expect(told[0]).toMatch(message);
  expect(told[0]).not.toMatch(/\bat .*:\d+:\d+|has a bug|Sqlite|Error:/);
  expect(run.code).toBe(code);
  expect(run.stdout).not.toContain('server.started');
}

async function expectUntouched(directory: string, refused: () => Promise<void>): Promise<void> {
  const before = fingerprint(directory);
  await refused();
  expect(fingerprint(directory)).toEqual(before);
}

/**
 * One statement by another implementation, in a process of its own that leaves nothing open; the
 * first value of its first row.
 */
function sqlite(database: string, sql: string): string {
  const script =
    'import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db: print(*(db.execute(sys.argv[2]).fetchone() or [""]))\ndb.close()';
  return execFileSync('/usr/bin/python3', ['-c', script, database, sql], {
    encoding: 'utf8',
  }).trim();
}

describe('keys', () => {
  test('a missing key file is never made anew', async () => {
    const { directory, key } = copyOfUsed();
    rmSync(key);
    await expectUntouched(directory, async () =>
      expectRefusal(
        await serve(directory),
        78,
        /key-encryption\.key is missing, .*Restore it from the backup/,
      ),
    );
  });

  test('another key than the one that sealed the database is refused', async () => {
    const { directory, key } = copyOfUsed();
    writeFileSync(key, `${randomBytes(32).toString('base64url')}\n`);
    await expectUntouched(directory, async () =>
      expectRefusal(await serve(directory), 78, /sealed with another key.*Nothing was changed/),
    );
  });

  test('a key file that holds no key is refused', async () => {
    const { directory, key } = copyOfUsed();
    writeFileSync(key, 'short\n');
    await expectUntouched(directory, async () =>
      expectRefusal(await serve(directory), 78, /does not contain a key of 32 bytes/),
    );
  });

  test('a database without a byte, as a first start leaves it that failed at once, gets its key at the second', async () => {
    const directory = newDirectory();
    mkdirSync(join(directory, 'data'));
    writeFileSync(join(directory, 'data/postern.db'), '', { mode: 0o600 });
    await (await startServer({ directory })).stop();
  });
});

describe('database.encryption_key', () => {
  const KEY = { POSTERN_DATABASE_ENCRYPTION_KEY: 'the right key of this database' };
  let directory: string;
  beforeAll(async () => {
    directory = newDirectory();
    const server = await startServer({ directory, env: KEY });
    await server.register('ada');
    // Killed: its log lies beside it, and the wrong key must not be tried on that either.
    await server.kill();
    expect(statSync(join(directory, 'data/postern.db-wal')).size).toBeGreaterThan(0);
  });

  test.each([
    [
      'another key',
      { POSTERN_DATABASE_ENCRYPTION_KEY: 'another key, of another database' },
      /can't be read with this key.*Nothing was changed/,
    ],
    ['no key', {}, /is not a database that can be read without a key.*Nothing was changed/],
  ])('%s is refused, and the log of a killed server is left alone', async (_, env, message) => {
    await expectUntouched(directory, async () =>
      expectRefusal(await serve(directory, env), 78, message),
    );
  });

  test('a key for a plain database is refused', async () => {
    const { directory: plain } = copyOfUsed();
    await expectUntouched(plain, async () =>
      expectRefusal(await serve(plain, KEY), 78, /can't be read with this key/),
    );
  });

  test('the right key opens it afterwards, log and all', async () => {
    const server = await startServer({ directory, env: KEY });
    expect((await server.login('ada')).status).toBe(200);
    await server.stop();
  });
});

describe('a database of another make', () => {
  test('one that a newer postern wrote is refused', async () => {
    const { directory, database } = copyOfUsed();
    sqlite(
      database,
      "INSERT INTO migration (tag, checksum, applied_at) VALUES ('9999_from_the_future', 'x', 1)",
    );
    await expectUntouched(directory, async () =>
      expectRefusal(
        await serve(directory),
        78,
        /was written by a newer postern \(it has migration 9999_from_the_future\)/,
      ),
    );
  });

  test('one of another program is refused', async () => {
    const { directory, database } = copyOfUsed();
    rmSync(database);
    sqlite(database, 'PRAGMA journal_mode=WAL');
    sqlite(database, 'CREATE TABLE shopping (item TEXT)');
    await expectUntouched(directory, async () =>
      expectRefusal(await serve(directory), 78, /holds the tables of another program/),
    );
  });

  test('a file that is no database at all is refused', async () => {
    const { directory, database } = copyOfUsed();
    writeFileSync(database, 'Dear diary, today I was a database.\n'.repeat(200));
    await expectUntouched(directory, async () =>
      expectRefusal(await serve(directory), 78, /is not a database/),
    );
  });
});

describe('damage', () => {
  const root = (database: string, table: string): number =>
    Number(sqlite(database, `SELECT rootpage FROM sqlite_schema WHERE name = '${table}'`));
  const scribble = (database: string, page: number): void => {
    const file = openSync(database, 'r+');
    writeSync(file, Buffer.alloc(4_096, 0xa5), 0, 4_096, (page - 1) * 4_096);
    closeSync(file);
  };

  test.each(['migration', 'signing_key', 'revocation'])(
    'a page of %s that holds something else is refused at start',
    async (table) => {
      const { directory, database } = copyOfUsed();
      scribble(database, root(database, table));
      await expectUntouched(directory, async () =>
        expectRefusal(await serve(directory), 78, /the database is damaged/),
      );
    },
  );

  test('a database cut short is refused at start', async () => {
    const { directory, database } = copyOfUsed();
    writeFileSync(database, readFileSync(database).subarray(0, 3 * 4_096));
    await expectUntouched(directory, async () =>
      expectRefusal(await serve(directory), 78, /the database is damaged/),
    );
  });

  test('a page that nothing at start reads costs the requests that need it, and no others', async () => {
    const { directory, database } = copyOfUsed();
    scribble(database, root(database, 'password_credential'));
    const server = await startServer({ directory });
    const failed = await server.login('ada');
    expect([failed.status, failed.body.code]).toEqual([500, 'internal_error']);
    expect(JSON.stringify(failed.body)).not.toMatch(/SQLITE|malformed|disk/i);
    expect((await server.call('GET', '/healthz')).status).toBe(200);
    expect((await server.call('GET', '/.well-known/jwks.json')).status).toBe(200);
    expect((await server.stop()).code).toBe(0);
  });
});

describe('permissions', () => {
  test('a folder in which nothing may be made is refused at the first start', async () => {
    const directory = newUnprivilegedDirectory();
    chmodSync(directory, 0o555);
    await expectUntouched(directory, async () =>
      expectRefusal(
        await serve(directory, {}, [], UNPRIVILEGED),
        78,
        /key-encryption\.key can't be created: EACCES\. Nothing was changed/,
      ),
    );
  });

  async function ofNobody(): Promise<{ directory: string; data: string }> {
    const directory = newUnprivilegedDirectory();
    const server = await startServer({
      directory,
      ...(UNPRIVILEGED === undefined ? {} : { uid: UNPRIVILEGED }),
    });
    await server.stop();
    return { directory, data: join(directory, 'data') };
  }

  test('a database that may only be read is refused: sign-ins would fail one by one', async () => {
    const { directory, data } = await ofNobody();
    chmodSync(join(data, 'postern.db'), 0o400);
    const before = fingerprint(data)['postern.db'];
    expectRefusal(
      await serve(directory, {}, [], UNPRIVILEGED),
      78,
      /may not be (written|opened) by this user.*Nothing was changed/,
    );
    // SQLite makes an empty log and its index even to read.
    expect(fingerprint(data)['postern.db']).toBe(before);
  });

  test('a database in a folder that may only be read is refused', async () => {
    const { directory, data } = await ofNobody();
    chmodSync(data, 0o500);
    await expectUntouched(directory, async () =>
      expectRefusal(
        await serve(directory, {}, [], UNPRIVILEGED),
        78,
        /may not be (written|opened) by this user.*Nothing was changed/,
      ),
    );
  });

  test.each(['postern.db', 'key-encryption.key'])(
    'a %s that may not be read is refused',
    async (name) => {
      const { directory, data } = await ofNobody();
      const path = join(data, name);
      chmodSync(path, 0o000);
      const run = await serve(directory, {}, [], UNPRIVILEGED);
      chmodSync(path, 0o600);
      expectRefusal(run, 78, /can't be read: EACCES\. Nothing was changed/);
    },
  );
});

describe('locks', () => {
  test('a database that another process writes for longer than database.busy_timeout is refused, and is free again afterwards', async () => {
    const { directory, database } = copyOfUsed();
    const other = new Libsql(database);
    other.exec('BEGIN IMMEDIATE');
    const run = await serve(directory, { POSTERN_DATABASE_BUSY_TIMEOUT: '300ms' });
    expectRefusal(
      run,
      1,
      /another process held the database for longer than database\.busy_timeout/,
    );
    other.exec('ROLLBACK');
    other.close();
    await (await startServer({ directory })).stop();
  });
});

describe('room', () => {
  /**
   * So many KiB may any file have: `ulimit -f` stands for a full disk, which needs no file system
   * of its own.
   */
  const withRoom = (kibibytes: number): readonly string[] => [
    'bash',
    '--norc',
    '-c',
    `ulimit -f ${kibibytes}; exec "$@"`,
    'bash',
  ];

  test.each([0, 4, 8, 32, 64])(
    'a first start with room for files of %d KiB is refused, and the next one with room goes on',
    async (kibibytes) => {
      const directory = newDirectory();
      expectRefusal(
        await serve(directory, {}, withRoom(kibibytes)),
        kibibytes === 0 ? 78 : 1,
        /can't be created: EFBIG|disk/,
      );
      const server = await startServer({ directory });
      await server.register('ada');
      await server.stop();
    },
  );

  test('a disk that fills up while it runs: requests fail, what was acknowledged holds, and with room again all goes on by itself', {
    timeout: 60_000,
  }, async () => {
    const directory = newDirectory();
    const server = await startServer({ directory });
    const ada = await server.register('ada');
    limit(server, statSync(join(directory, 'data/postern.db-wal')).size + 256 * 1_024);
    const acknowledged: string[] = [];
    let refused = 0;
    for (let index = 0; refused < 3 && index < 60; index += 1) {
      const { status, body } = await server.call('POST', '/register', {
        body: { username: `full${index}`, password: 'room for one more please' },
      });
      if (status === 201) acknowledged.push(`full${index}`);
      else {
        refused += 1;
        expect(status).toBeGreaterThanOrEqual(500);
        expect(JSON.stringify(body)).not.toMatch(/SQLITE|disk|EFBIG/i);
      }
    }
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(refused).toBe(3);
    // Nothing that only reads is affected, and who watches is told.
    expect((await server.call('GET', '/verify', { token: ada.access })).status).toBe(204);
    expect((await server.call('GET', '/healthz')).status).toBe(200);
    limit(server, 'unlimited');
    await eventually(async () => (await server.call('GET', '/readyz')).status === 200, 3_000);
    await server.register('after');
    await server.kill();

    const next = await startServer({ directory });
    for (const username of acknowledged)
      expect([username, (await next.login(username, 'room for one more please')).status]).toEqual([
        username,
        200,
      ]);
    expect((await next.login('after')).status).toBe(200);
    expect(
      (await next.cli(['user', 'list', '--json'])).stdout.split('\n').filter((line) => line !== ''),
    ).toHaveLength(acknowledged.length + 2);
    await next.stop();
  });

  test('while the disk is full, sessions are refreshed with the token that they have, all else is 503, and it recovers', {
    timeout: 60_000,
  }, async () => {
    const directory = newDirectory();
    const server = await startServer({
      directory,
      env: { POSTERN_SESSIONS_REFRESH_GRACE: '0s', POSTERN_SESSIONS_MAX_PER_USER: '1000' },
    });
    await server.register('ada');
    const signedIn = [];
    for (let n = 0; n < 20; n++) signedIn.push((await server.login('ada')).body);
    const refresh = (token: string) =>
      server.call('POST', '/refresh', { body: { refresh_token: token } });
    const [revoked, spent, ...live] = signedIn;
    await server.call('POST', '/logout', { body: { refresh_token: revoked.refresh_token } });
    const next = (await refresh(spent.refresh_token)).body.refresh_token;
    limit(server, statSync(join(directory, 'data/postern.db-wal')).size);

    for (let round = 0; round < 5; round++) {
      for (const { refresh_token } of live) {
        const { status, body } = await refresh(refresh_token);
        expect([status, body.rotated, body.refresh_token]).toEqual([200, false, refresh_token]);
        const verified = await server.call('GET', '/verify', { token: body.access_token });
        expect(verified.status).toBe(204);
      }
    }
    expect((await refresh(revoked.refresh_token)).body.code).toBe('session_revoked');
    expect((await refresh(spent.refresh_token)).body.code).toBe('refresh_token_reused');
    for (const reply of [
      await server.login('ada'),
      await server.call('POST', '/logout', { body: { refresh_token: live[0].refresh_token } }),
      await server.call('POST', '/register', {
        body: { username: 'late', password: 'room for one more please' },
      }),
    ]) {
      expect([reply.status, reply.body.code]).toEqual([503, 'storage_unavailable']);
      expect(reply.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    }
    expect((await server.call('GET', '/readyz')).body.reasons).toContain('read_only');

    limit(server, 'unlimited');
    await eventually(async () => (await server.call('GET', '/readyz')).status === 200, 3_000);
    const said = (event: string) => server.log().filter((line) => line.event === event);
    await eventually(async () => said('database.write_back').length > 0, 3_000);
    expect(said('database.write_lost')).toHaveLength(1);
    // Reuse that was found meanwhile ends the session now that it can be written.
    await eventually(async () => (await refresh(next)).body.code === 'session_revoked', 3_000);
    const rotated = (await refresh(live[0].refresh_token)).body;
    expect(rotated.rotated).toBeUndefined();
    await server.stop();
  });

  function limit(server: Server, bytes: number | 'unlimited'): void {
    execFileSync('prlimit', [`--pid=${server.pid}`, `--fsize=${bytes}:unlimited`]);
  }
});
