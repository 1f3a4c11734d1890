/**
 * The single binary where nothing else is: an empty environment, a root directory that holds the C
 * library alone, folders that allow no programs. Run by `npm run test:binary`.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMAND, spawnProgram } from '../support/program.mjs';
import { fillBareRoot } from '../support/bare-root.ts';
import { PASSWORD, newDirectory, startServer } from '../support/process.ts';

const [binary = '', ...rest] = COMMAND;
const isBinary = rest.length === 0;
if (!isBinary) console.warn('not the single binary (npm run test:binary): its tests are left out');

/** Whether this user may change its root directory. */
const mayChroot = process.getuid?.() === 0;
/** A root directory with the program, what the C library consists of, and nothing else. */
function bareRoot(): string {
  const root = newDirectory();
  fillBareRoot(root, binary, binary);
  // Not /tmp, where the checkout itself may be.
  mkdirSync(join(root, 'scratch'), { mode: 0o1777 });
  return root;
}

describe.skipIf(!isBinary)('the single binary', () => {
  test('in an empty environment: it tells its version, and nothing stays in the temporary folder', () => {
    const folder = newDirectory();
    const { status, stdout } = spawnSync(binary, ['version', '--json'], {
      env: { TMPDIR: folder },
      encoding: 'utf8',
    });
    expect([status, JSON.parse(stdout).node]).toEqual([0, expect.stringMatching(/^v24\./)]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.skipIf(!mayChroot)(
    'with the C library alone: register, sign in, verify, stop, and nothing is left but its state',
    async () => {
      const root = bareRoot();
      const server = await startServer({ wrap: ['chroot', root], env: { TMPDIR: '/scratch' } });
      expect(readdirSync(join(root, 'scratch'))).toEqual([]);
      const { access } = await server.register('ada');
      expect((await server.login('ada')).status).toBe(200);
      expect((await server.call('GET', '/verify', { token: access })).status).toBe(204);
      const weak = { username: 'eve', password: 'password' };
      expect((await server.call('POST', '/register', { body: weak })).status).toBe(422);
      expect(await server.stop()).toEqual({ code: 0, signal: null });
      expect(server.stderr()).toBe('');
      expect(readdirSync(join(root, 'scratch'))).toEqual([]);
      expect(readdirSync(join(root, 'data')).sort()).toEqual(['key-encryption.key', 'postern.db']);
    },
  );

  test('killed and started again: what was acknowledged is there', async () => {
    const first = await startServer();
    await first.register('ada');
    await first.kill();
    const second = await startServer({ directory: first.directory });
    expect((await second.login('ada', PASSWORD)).status).toBe(200);
    await second.stop();
  });

  test('a file of its own needs no client library, and a server’s address reaches the one inside', async () => {
    const { ended, stderr } = spawnProgram(['user', 'list'], {
      directory: newDirectory(),
      env: {
        POSTERN_DATABASE_URL: 'http://127.0.0.1:9',
        POSTERN_SECRETS_KEY_ENCRYPTION_KEY: Buffer.alloc(32, 'abcdefghijklmnopqrstuvwxyz').toString(
          'hex',
        ),
      },
    });
    expect((await ended).code).toBe(78);
    expect(stderr()).toContain("doesn't answer");
  });

  test('a temporary folder that is none: one line that says what to set, and exit code 78', () => {
    const { status, stderr } = spawnSync(binary, ['version'], {
      env: { TMPDIR: join(newDirectory(), 'missing') },
      encoding: 'utf8',
    });
    expect(status).toBe(78);
    expect(stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/^postern can't load its libsql\.node from .*set TMPDIR/),
    ]);
  });

  test.skipIf(!mayChroot)('a temporary folder without programs (noexec): the same line', () => {
    const folder = newDirectory();
    const script = `mount -t tmpfs -o noexec none ${folder} && exec ${binary} version`;
    const { status, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script], {
      env: { PATH: process.env['PATH'], TMPDIR: folder },
      encoding: 'utf8',
    });
    expect(stderr).toMatch(/^postern can't load its libsql\.node from .*noexec mount/);
    expect(status).toBe(78);
  });

  test('the folder of an addon is private, fresh, and not to be laid out beforehand', () => {
    const folder = newDirectory();
    // What another user of the machine could have put there.
    mkdirSync(join(folder, 'postern-aaaaaa'));
    symlinkSync('/etc/passwd', join(folder, 'libsql.node'));
    expect(spawnSync(binary, ['version'], { env: { TMPDIR: folder } }).status).toBe(0);
    expect(readdirSync(folder).sort()).toEqual(['libsql.node', 'postern-aaaaaa']);
  });

  test('it holds its own data, and no path of the machine that built it', () => {
    const bytes = readFileSync(binary).toString('latin1');
    expect(bytes.includes('postern seal aes-256-gcm v1')).toBe(true);
    expect(bytes.includes(process.cwd())).toBe(false);
  });
});
