/**
 * Looking after users with the built program beside a running server: what an operator reads, is
 * asked, hands over and exports; and administration over HTTP on listeners of its own.
 */
import { spawn } from 'node:child_process';
import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMAND } from '../support/program.mjs';
import {
  PASSWORD,
  ask,
  environment,
  eventually,
  newDirectory,
  runProgram,
  startServer,
  whereIs,
} from '../support/process.ts';
import type { Run, Server } from '../support/process.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const cli = (line: string): Promise<Run> => server.cli(line.split(' '));

function done(run: Run): string {
  expect([run.code, run.stderr]).toEqual([0, expect.not.stringContaining('bug')]);
  return run.stdout.trim();
}

/** The acts that a verb told on stderr, a JSON line each. */
const actsOf = ({ stderr }: Run): Record<string, unknown>[] =>
  stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line): Record<string, unknown> => JSON.parse(line));

interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly link: string;
}

async function mailTo(address: string, subject: RegExp): Promise<Mail> {
  let found: Mail | undefined;
  await eventually(async () => {
    const { code, stdout } = await cli('mail show --json');
    if (code !== 0) return false;
    const mails = stdout
      .trim()
      .split('\n')
      .map((line): Mail => JSON.parse(line));
    found = mails.filter(({ to, subject: of }) => to.includes(address) && subject.test(of)).at(-1);
    return found !== undefined;
  }, 30_000);
  if (found === undefined) throw new Error(`nothing came to ${address}`);
  return found;
}

const tokenOf = (link: string): string =>
  new URLSearchParams(new URL(link).hash.slice(1)).get('token') ?? '';

const setPassword = (token: string, password: string) =>
  server.call('POST', '/password/reset', { body: { token, password } });

describe('postern user show', () => {
  test('in words: state, what is in the way, sessions, failed attempts; and --json as in the API', async () => {
    const dora = await server.register('dora');
    for (let n = 0; n < 11; n++) await server.login('dora', 'not the password at all');
    const shown = done(await cli('user show dora'));
    expect(shown).toContain(`dora (${dora.userId})`);
    expect(shown).toMatch(
      /^sign-in +too many failed attempts, a wait is running: postern user unlock$/m,
    );
    expect(shown).toMatch(/^failed attempts +password: \d+, last .*, blocked until /m);
    expect(shown).toContain(dora.sessionId);
    expect(shown).not.toContain('argon2');
    const json = JSON.parse(done(await cli('user show dora --json')));
    expect(json).toMatchObject({ id: dora.userId, obstacles: ['waiting'], disabled: false });
    const [session] = done(await cli('user sessions dora --json')).split('\n');
    expect(JSON.parse(session ?? '')).toMatchObject({ id: dora.sessionId, amr: ['pwd'] });
    expect((await cli('user sessions dora')).stderr).toContain('1 session');
  });

  test('an address that nobody verified: who claims it, by id', async () => {
    const eve = await server.register('eve');
    const body = { email: 'claimed@example.com' };
    await server.call('PATCH', '/me', { token: eve.access, body });
    for (const verb of ['show', 'delete']) {
      const run = await cli(`user ${verb} claimed@example.com`);
      expect([run.code, run.stdout]).toEqual([1, '']);
      expect(run.stderr).toContain(eve.userId);
    }
  });
});

describe('the question', () => {
  test('a name is looked up before anything is asked, and without a terminal whom it is about is said', async () => {
    const carl = await server.register('carl');
    await server.login('carl');
    expect(await cli('user disable nobody-here')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no such user'),
    });
    const refused = await cli('user disable carl');
    expect([refused.code, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toContain(
      `Disable carl (${carl.userId}), 2 sessions? Nothing was changed; add --yes to do it.`,
    );
    expect((await server.login('carl')).status).toBe(200);
  });

  const SCRIPT = '/usr/bin/script';
  test.skipIf(!existsSync(SCRIPT)).each([
    ['n', 200],
    ['', 200],
    ['y', 403],
  ])('on a terminal %j answers it, and sign-in is then %i', async (answer, status) => {
    const name = `asked-${answer}`;
    const { userId } = await server.register(name);
    const words = [...COMMAND, 'user', 'disable', name].map((word) => `'${word}'`).join(' ');
    const child = spawn(SCRIPT, ['--quiet', '--return', '--command', words, '/dev/null'], {
      cwd: server.directory,
      env: { PATH: process.env['PATH'], TERM: 'xterm', ...environment() },
    });
    let said = '';
    child.stdout.on('data', (chunk) => (said += String(chunk)));
    const ended = new Promise((resolve) => child.once('close', resolve));
    await eventually(() => said.includes('[y/N]'), 30_000);
    expect(said).toContain(`Disable ${name} (${userId}), 1 session? [y/N] `);
    child.stdin.write(`${answer}\n`);
    await ended;
    expect(said).toContain(status === 403 ? 'is disabled.' : 'Nothing was changed.');
    expect((await server.login(name)).status).toBe(status);
  });

  test('each act is told with who did it, in the form of the log', async () => {
    const { userId } = await server.register('told');
    const run = await cli('user disable told --yes');
    expect(actsOf(run)).toEqual([
      expect.objectContaining({
        level: 'info',
        event: 'user.disabled',
        'user.id': userId,
        operator: expect.stringMatching(/./),
      }),
    ]);
    expect(actsOf(await cli('user disable told --yes'))).toEqual([]);
    const by = await server.cli(['user', 'enable', 'told'], { env: { SUDO_USER: 'maria' } });
    expect(actsOf(by)).toEqual([expect.objectContaining({ operator: 'maria' })]);
  });
});

describe('the ways in', () => {
  test('create --email: an invitation goes out, and its link makes the account its reader’s', async () => {
    const id = done(await cli('user create --email gina@example.com --display-name Gina'));
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    const shown = done(await cli(`user show ${id}`));
    expect(shown).toContain('gina@example.com (unverified)');
    const { link } = await mailTo('gina@example.com', /Your account at/);
    expect((await setPassword(tokenOf(link), PASSWORD)).status).toBe(204);
    expect((await server.login('gina@example.com')).status).toBe(200);
    expect((await setPassword(tokenOf(link), PASSWORD)).status).toBe(410);
    const again = await cli('user create --email GINA@example.com');
    expect([again.code, again.stdout]).toEqual([1, '']);
    expect(again.stderr).toContain('another account');
  });

  test('create: an invitation takes no password, and one of both names is needed', async () => {
    expect((await cli('user create --email x@example.com --password-stdin')).code).toBe(2);
    expect((await cli('user create')).code).toBe(2);
    expect((await cli('user create --email no-address')).code).toBe(1);
  });

  test('reset-link without an address: the link alone on stdout, once; the password is its user’s to choose', async () => {
    const hugo = await server.register('hugo');
    const run = await cli('user reset-link hugo --yes');
    const link = done(run);
    expect(run.stdout).toBe(`${link}\n`);
    expect(link).toMatch(/\/reset-password#token=[A-Za-z0-9_-]{43}$/);
    expect(run.stderr).not.toContain(tokenOf(link));
    expect(actsOf(run)).toEqual([
      expect.objectContaining({ event: 'password.reset_started', reason: 'printed' }),
    ]);
    expect((await server.call('GET', '/me', { token: hugo.access })).status).toBe(200);
    const password = 'a new horse battery staple';
    expect((await setPassword(tokenOf(link), password)).status).toBe(204);
    expect((await setPassword(tokenOf(link), password)).status).toBe(410);
    await eventually(
      async () => (await server.call('GET', '/me', { token: hugo.access })).status === 401,
      30_000,
    );
    expect((await server.login('hugo', password)).status).toBe(200);
  });

  test('reset-link with an address: it goes there, and nothing is printed', async () => {
    done(await cli('user create --email iris@example.com'));
    const invitation = await mailTo('iris@example.com', /Your account at/);
    await setPassword(tokenOf(invitation.link), PASSWORD);
    const run = await cli('user reset-link iris@example.com --yes');
    expect(done(run)).toBe('');
    const { link } = await mailTo('iris@example.com', /Reset your password/);
    expect((await setPassword(tokenOf(link), 'a new horse battery staple')).status).toBe(204);
  });

  test('set-email: pending with a code; with --verified at once, and its sessions end', async () => {
    const jane = await server.register('jane');
    done(await cli('user set-email jane jane@example.com --yes'));
    await mailTo('jane@example.com', /Your code/);
    expect((await server.login('jane@example.com')).status).toBe(401);
    done(await cli('user set-email jane jane@example.com --verified --yes'));
    expect((await server.login('jane@example.com')).status).toBe(200);
    await eventually(
      async () => (await server.call('GET', '/me', { token: jane.access })).status === 401,
      30_000,
    );
    expect((await cli('user set-email jane not-an-address --yes')).code).toBe(1);
  });

  test('delete: the account and its sessions are gone', async () => {
    const kim = await server.register('kim');
    expect(done(await cli('user delete kim --yes'))).toBe(`${kim.userId} is deleted.`);
    expect((await server.login('kim')).status).toBe(401);
    await eventually(
      async () => (await server.call('GET', '/verify', { token: kim.access })).status === 401,
      30_000,
    );
    expect((await cli('user delete kim --yes')).code).toBe(1);
  });
});

describe('finding and exporting', () => {
  test('list --search and --disabled', async () => {
    for (const name of ['lea', 'leo', 'max']) await server.register(name);
    done(await cli('user disable leo --yes'));
    const names = async (line: string): Promise<string[]> =>
      done(await cli(line))
        .split('\n')
        .filter((text) => text !== '')
        .map((text) => JSON.parse(text).username);
    expect(await names('user list --search le --json')).toEqual(['lea', 'leo']);
    expect(await names('user list --search le --disabled --json')).toEqual(['leo']);
    expect(await names('user list --disabled --json')).toContain('leo');
  });

  test('user export: everything about one person, and no secret without --with-hashes', async () => {
    const nora = await server.register('nora');
    const run = await cli('user export nora');
    const person = JSON.parse(done(run));
    expect(person).toMatchObject({
      id: nora.userId,
      username: 'nora',
      sessions: [{ id: nora.sessionId, ended_at: null }],
      codes_and_links: [],
    });
    expect(run.stdout).not.toMatch(/argon2|hash"/);
    expect(actsOf(run)).toEqual([
      expect.objectContaining({ event: 'user.exported', reason: 'without_hashes' }),
    ]);
    const whole = JSON.parse(done(await cli('user export nora --with-hashes')));
    expect(whole.password_hash).toMatch(/^\$argon2id\$/);
  });

  test('export: every account once, a line each, oldest first; hashes only when asked for', async () => {
    const listed = done(await cli('user list --json'))
      .split('\n')
      .map((line) => JSON.parse(line).id);
    const run = await cli('export');
    const lines = done(run)
      .split('\n')
      .map((line): Record<string, unknown> => JSON.parse(line));
    expect(lines.map(({ id }) => id)).toEqual(listed);
    expect(run.stdout).not.toMatch(/argon2|hash|secret|sealed/);
    expect(Object.keys(lines[0] ?? {}).sort()).toEqual([
      'claims',
      'created_at',
      'disabled_at',
      'display_name',
      'email',
      'external_id',
      'id',
      'password_change_required_at',
      'pending_email',
      'phone',
      'updated_at',
      'user_metadata',
      'username',
    ]);
    const [first] = done(await cli('export --with-hashes')).split('\n');
    expect(JSON.parse(first ?? '').password_hash).toMatch(/^\$argon2id\$/);
  });
});

describe('postern import', () => {
  const lines = (...users: object[]): string => users.map((one) => JSON.stringify(one)).join('\n');
  const MD5 = '$md5$CY9rzUYh03PK3k6DJie09g==';

  test('checks, then makes accounts beside the running service; refused lines alone on stdout', async () => {
    const stdin = lines(
      { external_id: 'cli-1', username: 'imp-ada', password_hash: MD5 },
      { external_id: 'cli-2', username: 'not a name' },
    );
    const dry = await server.cli(['import', '-', '--dry-run'], { stdin });
    expect([dry.code, dry.stderr]).toEqual([
      1,
      '2 lines: 1 would be created, 0 there already, 1 refused\n',
    ]);
    expect((await server.login('imp-ada', 'test')).status).toBe(401);
    const run = await server.cli(['import', '-'], { stdin });
    expect(run.code).toBe(1);
    expect(
      run.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      {
        line: 2,
        errors: [expect.objectContaining({ pointer: '/username', code: 'invalid_username' })],
      },
    ]);
    expect(run.stderr).toContain('2 lines: 1 created, 0 there already, 1 refused');
    expect(actsOf(run)).toEqual([expect.objectContaining({ event: 'user.imported', count: 1 })]);
    expect((await server.login('imp-ada', 'test')).status).toBe(200);
    const again = await server.cli(['import', '-'], {
      stdin: lines({ external_id: 'cli-1', username: 'x' }),
    });
    expect([again.code, again.stdout]).toEqual([0, '']);
    expect(again.stderr).toContain('1 line: 0 created, 1 there already, 0 refused');
  });

  test('a file that is not there is told, and export --with-hashes goes back in', async () => {
    expect(await cli('import nowhere.ndjson')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("nowhere.ndjson can't be read."),
    });
    expect(await cli('import .')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(". can't be read."),
    });
    const { stdout } = await cli('export --with-hashes');
    const back = await server.cli(['import', '-'], { stdin: stdout });
    const count = stdout.trim().split('\n').length;
    expect([back.code, back.stdout]).toEqual([0, '']);
    expect(back.stderr).toMatch(
      new RegExp(`^${count} lines?: 0 created, ${count} there already, 0 refused$`, 'm'),
    );
  });
});

describe('administration over HTTP on listeners of its own', () => {
  test('TCP and a Unix socket of mode 0660 answer /admin alone; the others do not; a reload keeps it so', async () => {
    const directory = newDirectory();
    const socket = join(directory, 'admin.sock');
    const own = await startServer({
      directory,
      config: `[admin]\nenabled = true\nlisten = ["tcp://127.0.0.1:0", "unix:${socket}"]\n`,
    });
    const made = await own.cli(['apikey', 'create', 'console', '--scope', 'admin']);
    const headers = { 'postern-key': made.stdout.trim() };
    const [tcp = '', unix = ''] = Array.isArray(own.started['admin'])
      ? own.started['admin'].map(String)
      : [];
    expect(lstatSync(socket).mode & 0o777).toBe(0o660);
    const check = async (): Promise<void> => {
      for (const address of [tcp, unix]) {
        const where = whereIs(address);
        expect((await ask(where, 'GET', '/admin/users', { headers })).status).toBe(200);
        expect((await ask(where, 'GET', '/admin/users')).status).toBe(401);
        for (const path of ['/healthz', '/openapi.json', '/login', '/'])
          expect((await ask(where, 'GET', path, { headers })).status).toBe(404);
      }
      for (const path of ['/admin/users', '/admin/openapi.json'])
        expect((await own.call('GET', path, { headers })).status).toBe(404);
      expect((await own.call('GET', '/healthz')).status).toBe(200);
    };
    await check();
    own.signal('SIGHUP');
    await own.logged('config.reloaded');
    await check();
    await own.stop();
    expect(existsSync(socket)).toBe(false);
  });

  test('addresses without administration are refused at the start, with what to write', async () => {
    const run = await runProgram(['config', 'check'], {
      directory: newDirectory(),
      env: environment({ POSTERN_ADMIN_LISTEN: 'tcp://127.0.0.1:7402' }),
    });
    expect(run.code).toBe(78);
    expect(`${run.stdout}${run.stderr}`).toContain('Write admin.enabled = true');
  });
});
