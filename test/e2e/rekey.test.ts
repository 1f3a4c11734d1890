/** `postern rekey`: another key for the database, everything still there, and no mixture after a kill. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { environment, fingerprint, runProgram, startServer } from '../support/process.ts';
import type { Run, Server } from '../support/process.ts';
import { spawnProgram } from '../support/program.mjs';

const KEYS = ['a first key that is long enough', 'a second key that is long enough'] as const;
const withKey = (key: string | undefined): Record<string, string> =>
  key === undefined ? {} : { POSTERN_DATABASE_ENCRYPTION_KEY: key };

const rekey = (
  directory: string,
  from: string | undefined,
  args: readonly string[],
): Promise<Run> => runProgram(['rekey', ...args], { directory, env: environment(withKey(from)) });

/** A stopped service with a user; its database's first bytes. */
async function stopped(
  key: string | undefined,
): Promise<{ server: Server; refresh: string; access: string }> {
  const server = await startServer({ env: withKey(key) });
  const { refresh, access } = await server.register('ada');
  await server.stop();
  writeFileSync(join(server.directory, 'new-key'), `${KEYS[1]}\n`, { mode: 0o600 });
  return { server, refresh, access };
}
const isPlain = (directory: string): boolean =>
  readFileSync(join(directory, 'data/postern.db')).toString('latin1', 0, 15) === 'SQLite format 3';

describe.each<[string, string | undefined, string | undefined, readonly string[]]>([
  ['from one key to another', KEYS[0], KEYS[1], ['--new-key-file', 'new-key']],
  ['for the first time', undefined, KEYS[1], ['--new-key-file', 'new-key']],
  ['to none', KEYS[0], undefined, ['--decrypt']],
])('%s', (_, from, to, args) => {
  test('no account and no living session is lost, and the old key opens nothing', async () => {
    const { server, refresh } = await stopped(from);
    const { directory } = server;
    const run = await rekey(directory, from, [...args, '--yes']);
    expect([run.code, run.stderr]).toEqual([
      0,
      expect.stringContaining('Now set database.encryption_key'),
    ]);
    expect(isPlain(directory)).toBe(to === undefined);
    const old = await runProgram(['user', 'list'], { directory, env: environment(withKey(from)) });
    expect(old.code).toBe(78);
    const again = await startServer({ directory, env: withKey(to) });
    expect(
      (await again.call('POST', '/refresh', { body: { refresh_token: refresh } })).status,
    ).toBe(200);
    expect((await again.login('ada')).status).toBe(200);
    await again.stop();
    for (const key of KEYS) expect(run.stdout + run.stderr).not.toContain(key);
  });
});

test('it asks, needs one of two options, a key that is one, and a service that is stopped', async () => {
  const server = await startServer();
  const { directory } = server;
  writeFileSync(join(directory, 'short'), 'short\n');
  writeFileSync(join(directory, 'new-key'), KEYS[1]);
  const refused = async (args: readonly string[]): Promise<[number | null, string]> => {
    const { code, stderr } = await rekey(directory, undefined, args);
    return [code, stderr];
  };
  expect(await refused([])).toEqual([
    2,
    expect.stringContaining('give one of --new-key-file, --decrypt and'),
  ]);
  expect(await refused(['--new-key-file', 'short'])).toEqual([
    1,
    expect.stringContaining('does not contain a key of at least 16 bytes'),
  ]);
  expect(await refused(['--new-key-file', 'missing'])).toEqual([
    1,
    expect.stringContaining("can't be read"),
  ]);
  expect(await refused(['--new-key-file', 'new-key', '--yes'])).toEqual([
    1,
    expect.stringContaining('Stop the service first'),
  ]);
  await server.register('ada');
  await server.stop();
  const before = fingerprint(join(directory, 'data'));
  expect(await refused(['--new-key-file', 'new-key'])).toEqual([
    2,
    expect.stringContaining('add --yes'),
  ]);
  expect(await refused(['--decrypt', '--yes'])).toEqual([
    1,
    expect.stringContaining('already has that key'),
  ]);
  expect(Object.keys(fingerprint(join(directory, 'data')))).toEqual(Object.keys(before));
});

test('kill -9 in between (D01): one of the two keys opens all of it, and it can be run again', async () => {
  const { server } = await stopped(KEYS[0]);
  const { directory } = server;
  const users = (key: string) =>
    runProgram(['user', 'list'], { directory, env: environment(withKey(key)) });
  for (const delay of [100, 180, 220, 260, 300, 340]) {
    const program = spawnProgram(['rekey', '--new-key-file', 'new-key', '--yes'], {
      directory,
      env: environment(withKey(KEYS[0])),
    });
    await new Promise((resolve) => setTimeout(resolve, delay));
    program.signal('SIGKILL');
    await program.ended;
    const runs = await Promise.all(KEYS.map(users));
    expect(runs.filter(({ stdout }) => stdout.includes('ada'))).toHaveLength(1);
    if (runs[1]?.code === 0) {
      // It was through: back, for the next round.
      writeFileSync(join(directory, 'old-key'), KEYS[0]);
      expect((await rekey(directory, KEYS[1], ['--new-key-file', 'old-key', '--yes'])).code).toBe(
        0,
      );
    }
  }
  expect((await rekey(directory, KEYS[0], ['--new-key-file', 'new-key', '--yes'])).code).toBe(0);
  expect(readdirSync(join(directory, 'data')).filter((name) => name.startsWith('.'))).toEqual([]);
  expect(existsSync(join(directory, 'data/postern.db.before-rekey'))).toBe(true);
});
