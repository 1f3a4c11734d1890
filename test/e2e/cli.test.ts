/**
 * The verbs of the built program, beside a running server of the built program: what an operator
 * does holds there within a second.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMAND } from '../support/program.mjs';
import { codeAt } from '../support/mfa.ts';
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

/**
 * A second, and what starting a Node process costs on a busy machine is not in it: it is counted
 * from the verb's end.
 */
const SOON_MS = 1_000;

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const cli = (line: string, stdin?: string): Promise<Run> =>
  server.cli(line.split(' '), stdin === undefined ? {} : { stdin });

function done(run: Run): string {
  expect([run.code, run.stderr]).toEqual([0, expect.not.stringContaining('bug')]);
  return run.stdout.trim();
}

const verdict = async (token: string): Promise<string> => {
  const { status, body } = await server.call('GET', '/verify', { token });
  return status === 204 ? 'good' : body.code;
};

describe('postern user', () => {
  test('create: the password by standard input, the id alone on stdout, and the account signs in at the running server', async () => {
    const id = done(
      await cli('user create --username ada --display-name Ada --password-stdin', `${PASSWORD}\n`),
    );
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    const { status, body } = await server.login('ada');
    expect(status).toBe(200);
    expect((await server.call('GET', '/me', { token: body.access_token })).body).toMatchObject({
      id,
      username: 'ada',
      display_name: 'Ada',
    });
  });

  test('create: refused names and passwords are reported by field, exit 1, and nothing is created', async () => {
    const before = done(await cli('user list --json'));
    for (const [line, password, message] of [
      ['user create --username ada --password-stdin', PASSWORD, /taken/],
      ['user create --username eve --password-stdin', 'short', /^password: /],
      ['user create --username eve --password-stdin', 'eve eve eve eve eve', /^password: /],
    ] as const) {
      const run = await cli(line, password);
      expect([run.code, run.stdout]).toEqual([1, '']);
      expect(run.stderr).toMatch(message);
      expect(run.stderr).not.toContain(password);
    }
    expect(done(await cli('user list --json'))).toBe(before);
  });

  test('create: without a terminal and without --password-stdin it asks for one or the other, exit 2; a password is no argument', async () => {
    expect(await cli('user create --username eve')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--password-stdin'),
    });
    const refused = await cli('user create --username eve --password hunter2hunter2hunter2');
    expect([refused.code, refused.stderr.includes('hunter2')]).toEqual([2, false]);
  });

  test('no secret is needed in argv: the password is nowhere in the process list while a verb waits for it', async () => {
    // The shell holds the verb at its standard input, and looks at every command line meanwhile.
    const script =
      '"$@" user create --username carol --password-stdin < <(sleep 1; printf %s "$SECRET") & sleep 0.7; cat /proc/[0-9]*/cmdline | tr "\\0" " "; wait';
    const out = execFileSync('bash', ['--norc', '-c', script, 'bash', ...COMMAND], {
      cwd: server.directory,
      env: { PATH: process.env['PATH'], ...environment(), SECRET: 'a canary in the process list' },
      encoding: 'utf8',
    });
    expect(out).toContain('--username carol');
    expect(out).not.toContain('a canary in the process list');
    expect((await server.login('carol', 'a canary in the process list')).status).toBe(200);
  });

  test('disable: sessions are refused by GET /verify and /refresh within a second, and enable lets the account in again', async () => {
    const bob = await server.register('bob');
    expect(await verdict(bob.access)).toBe('good');
    expect(done(await cli('user disable bob --yes'))).toBe(`${bob.userId} is disabled.`);
    await eventually(async () => (await verdict(bob.access)) === 'session_revoked', SOON_MS);
    expect(
      (await server.call('POST', '/refresh', { body: { refresh_token: bob.refresh } })).status,
    ).toBe(403);
    expect((await server.login('bob')).body.code).toBe('account_disabled');
    expect(done(await cli('user disable bob --yes'))).toBe(`${bob.userId} was disabled already.`);

    expect(done(await cli('user enable bob'))).toBe(`${bob.userId} is enabled.`);
    expect((await server.login('bob')).status).toBe(200);
    expect(await verdict(bob.access)).toBe('session_revoked');
    expect(
      (await server.call('POST', '/refresh', { body: { refresh_token: bob.refresh } })).status,
    ).toBe(401);
  });

  test('unlock: an account that waits after failed sign-ins is let in at once', async () => {
    await server.register('dora');
    for (let tries = 0; tries < 11; tries += 1)
      await server.login('dora', 'not the password at all');
    expect((await server.login('dora')).status).toBe(429);
    done(await cli('user unlock dora'));
    expect((await server.login('dora')).status).toBe(200);
  });

  test('logout: every session ends within a second', async () => {
    const first = await server.register('erin');
    const { body: second } = await server.login('erin');
    expect(done(await cli('user logout erin --yes'))).toBe(`2 sessions of ${first.userId} ended.`);
    await eventually(
      async () =>
        (await verdict(first.access)) === 'session_revoked' &&
        (await verdict(second.access_token)) === 'session_revoked',
      SOON_MS,
    );
    expect(
      (await server.call('POST', '/refresh', { body: { refresh_token: first.refresh } })).body.code,
    ).toBe('session_revoked');
  });

  test('remove-factors: a lost authenticator app: every session ends within a second, and the password alone signs in; without --yes nothing changes', async () => {
    const zoe = await server.register('zoe');
    const { secret } = (await server.call('POST', '/me/totp', { token: zoe.access })).body;
    expect(
      (
        await server.call('POST', '/me/totp/confirm', {
          token: zoe.access,
          body: { code: codeAt(secret, Date.now()) },
        })
      ).status,
    ).toBe(200);
    expect((await server.login('zoe')).body.status).toBe('mfa_required');
    expect(await cli('user remove-factors zoe')).toMatchObject({ code: 2, stdout: '' });
    expect((await server.login('zoe')).body.status).toBe('mfa_required');
    expect(done(await cli('user remove-factors zoe --yes'))).toBe(
      `${zoe.userId} has no second factor.`,
    );
    await eventually(async () => (await verdict(zoe.access)) === 'session_revoked', SOON_MS);
    expect((await server.login('zoe')).body.status).toBe('authenticated');
    expect(await cli('user remove-factors nobody-here --yes')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no such user'),
    });
  });

  test('renew-grace: says what it did', async () => {
    const { userId } = await server.register('yan');
    expect(done(await cli('user renew-grace yan'))).toContain(userId);
  });

  test('disable and logout ask, and where nobody can be asked they need --yes: exit 2, nothing changed', async () => {
    const fay = await server.register('fay');
    for (const verb of ['disable', 'logout'])
      expect(await cli(`user ${verb} fay`)).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining('--yes'),
      });
    expect(await verdict(fay.access)).toBe('good');
  });

  test('list --json: one object a line, field names as in the API, and no hash', async () => {
    const rows = done(await cli('user list --json'))
      .split('\n')
      .map((line): Record<string, unknown> => JSON.parse(line));
    expect(rows.map(({ username }) => username)).toEqual(expect.arrayContaining(['ada', 'bob']));
    expect(Object.keys(rows[0] ?? {}).sort()).toEqual([
      'created_at',
      'disabled',
      'display_name',
      'email',
      'email_verified',
      'id',
      'username',
    ]);
    expect(JSON.stringify(rows)).not.toContain('argon2');
  });

  test('a user who is not there: exit 1 and what shows them', async () => {
    expect(await cli('user enable nobody-of-that-name')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('postern user list'),
    });
  });
});

describe('postern keys', () => {
  test('list --json tells which key signs; export gives it as PEM and as JWKS, the same as the server', async () => {
    const [first] = (await server.call('GET', '/.well-known/jwks.json')).body.keys;
    const listed = done(await cli('keys list --json'))
      .split('\n')
      .map((line): Record<string, unknown> => JSON.parse(line));
    expect(
      listed.find(({ purpose, state }) => purpose === 'access' && state === 'active')?.['kid'],
    ).toBe(first.kid);
    const pem = done(await cli('keys export --pem'));
    expect(createPublicKey(pem).export({ format: 'jwk' })).toMatchObject({
      kty: 'EC',
      crv: 'P-256',
      x: first.x,
      y: first.y,
    });
    expect((await server.call('GET', `/keys/${first.kid}.pem`)).body.trim()).toBe(pem);
    expect(JSON.parse(done(await cli('keys export --jwks'))).keys[0]).toEqual(first);
    expect(done(await cli(`keys export --pem --kid ${first.kid}`))).toBe(pem);
  });

  test('export --pem verifies a token by openssl and by Node, without any library of tokens', async () => {
    const { access } = await server.register('gil');
    const directory = newDirectory();
    const pem = done(await cli('keys export --pem'));
    const [header = '', payload = '', signature = ''] = access.split('.');
    const bytes = Buffer.from(signature, 'base64url');
    expect(
      verify(
        'sha256',
        Buffer.from(`${header}.${payload}`),
        { key: pem, dsaEncoding: 'ieee-p1363' },
        bytes,
      ),
    ).toBe(true);
    writeFileSync(join(directory, 'key.pem'), `${pem}\n`);
    writeFileSync(join(directory, 'signed'), `${header}.${payload}`);
    writeFileSync(join(directory, 'signature'), derOf(bytes));
    const check = (): string =>
      spawnSync(
        'openssl',
        ['dgst', '-sha256', '-verify', 'key.pem', '-signature', 'signature', 'signed'],
        { cwd: directory, encoding: 'utf8' },
      ).stdout.trim();
    expect(check()).toBe('Verified OK');
    writeFileSync(join(directory, 'signed'), `${header}.${payload}x`);
    expect(check()).toBe('Verification failure');
  });

  test('rotate: the new key stands in the JWKS at once and signs later; with --now it signs within a second and old tokens stay good', async () => {
    const { access } = await server.register('hal');
    const published = async (): Promise<string[]> =>
      (await server.call('GET', '/.well-known/jwks.json')).body.keys.map(
        ({ kid }: { kid: string }) => kid,
      );
    const later = JSON.parse(done(await cli('keys rotate --json')));
    await eventually(async () => (await published()).includes(later.kid), SOON_MS);
    expect((await published())[0]).not.toBe(later.kid);
    expect(Date.parse(later.activates_at)).toBeGreaterThan(Date.now() + 9 * 60_000);

    const now = JSON.parse(done(await cli('keys rotate --now --json')));
    await eventually(async () => (await published())[0] === now.kid, SOON_MS);
    const { body } = await server.login('hal');
    expect(
      JSON.parse(Buffer.from(body.access_token.split('.')[0], 'base64url').toString()).kid,
    ).toBe(now.kid);
    expect([await verdict(access), await verdict(body.access_token)]).toEqual(['good', 'good']);
  });

  test('rotate --now --withdraw --yes: tokens of the old keys are refused within a second, and sessions go on by a refresh', async () => {
    const ivy = await server.register('ivy');
    expect(await verdict(ivy.access)).toBe('good');
    expect(await cli('keys rotate --withdraw')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--now'),
    });
    expect(await cli('keys rotate --now --withdraw')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--yes'),
    });
    expect(await verdict(ivy.access)).toBe('good');
    const { kid } = JSON.parse(done(await cli('keys rotate --now --withdraw --yes --json')));
    await eventually(async () => (await verdict(ivy.access)) === 'invalid_token', SOON_MS);
    expect((await server.call('GET', '/me', { token: ivy.access })).status).toBe(401);
    expect(
      (await server.call('GET', '/.well-known/jwks.json')).body.keys.map(
        (key: { kid: string }) => key.kid,
      ),
    ).toEqual([kid]);
    const refreshed = await server.call('POST', '/refresh', {
      body: { refresh_token: ivy.refresh },
    });
    expect([refreshed.status, await verdict(refreshed.body.access_token)]).toEqual([200, 'good']);
  });

  test('rotate --internal --now --withdraw --yes: every refresh token is refused within a second', async () => {
    const jan = await server.register('jan');
    done(await cli('keys rotate --internal --now --withdraw --yes'));
    await eventually(
      async () =>
        (await server.call('POST', '/refresh', { body: { refresh_token: jan.refresh } })).body
          .code === 'invalid_token',
      SOON_MS,
    );
    expect((await server.login('jan')).status).toBe(200);
  });
});

describe('postern migrate', () => {
  test('--dry-run says what would be applied and makes nothing; migrate makes database and key, and serve goes on with them', async () => {
    const directory = newDirectory();
    const env = environment();
    const dry = await runProgram(['migrate', '--dry-run', '--json'], { directory, env });
    expect(JSON.parse(done(dry)).pending).toEqual(
      expect.arrayContaining([expect.stringMatching(/^0000_/)]),
    );
    expect(readdirSync(directory)).toEqual([]);
    expect(
      JSON.parse(done(await runProgram(['migrate', '--json'], { directory, env }))).applied.length,
    ).toBeGreaterThan(0);
    const made = fingerprint(directory);
    expect(made).toMatchObject({
      'data/key-encryption.key': expect.stringMatching(/^600 /),
      'data/postern.db': expect.stringMatching(/^600 /),
      data: expect.stringMatching(/^700 /),
    });
    expect(done(await runProgram(['migrate', '--dry-run'], { directory, env }))).toMatch(
      /is up to date\.$/,
    );
    const next = await startServer({ directory });
    expect((await next.call('GET', '/readyz')).status).toBe(200);
    await next.stop();
  });
});

describe('postern config', () => {
  const check = async (
    text: string,
    verb = 'check',
    env: Record<string, string> = {},
  ): Promise<Run> => {
    const directory = newDirectory();
    writeFileSync(join(directory, 'config.toml'), text);
    return runProgram(['config', ...verb.split(' ')], { directory, env });
  };

  test('check: fine is 0; every fault at once, with its line, is 78', async () => {
    expect(await check('[log]\nlevel = "debug"\n')).toEqual({
      code: 0,
      stdout: 'config.toml is fine.\n',
      stderr: '',
    });
    const run = await check('[tokens]\nacces_ttl = "5m"\nalgorithm = "ES265"\n');
    expect([run.code, run.stdout]).toEqual([78, '']);
    expect(run.stderr.trim().split('\n')).toEqual([
      expect.stringMatching(
        /^config\.toml:2:1 +tokens\.acces_ttl is not a setting\. Did you mean tokens\.access_ttl\?$/,
      ),
      expect.stringMatching(/^config\.toml:3:\d+ +tokens\.algorithm is "ES265"\./),
    ]);
  });

  test('show --origin: each value and who set it; secrets as [set]', async () => {
    const run = await check('[log]\nlevel = "debug"\n', 'show --origin', {
      POSTERN_PASSWORD_PEPPER: 'canary pepper of sixteen bytes',
      POSTERN_SERVER_NAME: 'shop',
    });
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/level = "debug".*config\.toml/);
    expect(run.stdout).toMatch(/name = "shop".*POSTERN_SERVER_NAME/);
    expect(run.stdout).toContain('[set]');
    expect(run.stdout + run.stderr).not.toContain('canary');
  });

  test('serve with a configuration that is refused: 78, nothing made, no stack', async () => {
    const directory = newDirectory();
    const run = await runProgram(['serve'], {
      directory,
      env: { POSTERN_TOKENS_ACCESS_TTL: '5', POSTERN_NO_SUCH: 'x' },
    });
    expect(run.code).toBe(78);
    expect(run.stderr).toMatch(/POSTERN_TOKENS_ACCESS_TTL/);
    expect(run.stderr).toMatch(/POSTERN_NO_SUCH/);
    expect(run.stderr).not.toMatch(/\bat .*:\d+:\d+/);
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('streams and exit codes', () => {
  test('version and help are 0 on stdout; a typo is 2 on stderr with a guess', async () => {
    const version = await cli('--version');
    expect([version.code, version.stderr]).toEqual([0, '']);
    expect(version.stdout).toContain(
      JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version,
    );
    expect(await cli('user create --help')).toMatchObject({ code: 0, stderr: '' });
    expect(await cli('usr list')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('Did you mean user?'),
    });
    expect(await cli('user lst')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Did you mean list?'),
    });
    expect(await cli('serve --confg x')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Did you mean --config?'),
    });
    expect(await cli('user')).toMatchObject({ code: 2, stdout: '' });
  });

  test('a verb without a database says what makes one, exit 1, and makes none', async () => {
    const directory = newDirectory();
    expect(await runProgram(['user', 'list'], { directory, env: environment() })).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('postern serve creates it'),
    });
    expect(existsSync(join(directory, 'data'))).toBe(false);
  });

  test('health is 0 at a server that is ready and 1 where there is none', async () => {
    const at = (listen: string): Promise<Run> =>
      runProgram(['health'], {
        directory: server.directory,
        env: environment({ POSTERN_SERVER_LISTEN: listen }),
      });
    expect(await at(server.url.replace('http:', 'tcp:'))).toMatchObject({
      code: 0,
      stdout: 'ready\n',
    });
    expect(await at('tcp://127.0.0.1:1')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('not ready'),
    });
  });

  test('a reader that goes away (| head -1) ends a verb quietly with 0', async () => {
    const many = 300;
    for (let index = 0; index < 3; index += 1) await server.register(`pipe${index}`);
    const script = `for i in $(seq ${many / 100}); do "$@" user list --json; echo "rc $?" >&2; done | head -1`;
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script, 'bash', ...COMMAND], {
      cwd: server.directory,
      env: { PATH: process.env['PATH'], ...environment() },
      encoding: 'utf8',
    });
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).toMatch(/^(rc 0\n)+$/);
  });
});

/** ECDSA's r and s as openssl wants them. */
function derOf(signature: Buffer): Buffer {
  const integer = (bytes: Buffer): Buffer => {
    const trimmed = bytes.subarray(
      Math.max(
        0,
        bytes.findIndex((byte) => byte !== 0),
      ),
    );
    const positive = (trimmed[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.of(0), trimmed]) : trimmed;
    return Buffer.concat([Buffer.of(0x02, positive.length), positive]);
  };
  const both = Buffer.concat([integer(signature.subarray(0, 32)), integer(signature.subarray(32))]);
  return Buffer.concat([Buffer.of(0x30, both.length), both]);
}
