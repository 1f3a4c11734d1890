/** The files of examples/, run as they are but for addresses and folders. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SignJWT, exportSPKI, generateKeyPair } from 'jose';
import type { CryptoKey } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { ISSUER, PASSWORD, ask, newDirectory, startServer } from '../support/process.ts';
import type { CallOptions, Reply, Server, SignedIn } from '../support/process.ts';
import { freePort, isMissing, startEcho, startPeer } from '../support/peers.ts';
import type { Peer } from '../support/peers.ts';
import { haproxy, nginx } from '../support/proxies.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));
const example = (name: string): string => readFileSync(join(EXAMPLES, name), 'utf8');

type Proxy = {
  call(method: string, path: string, options?: CallOptions): Promise<Reply>;
  peer: Peer;
  echo: Awaited<ReturnType<typeof startEcho>>;
};

/** Headers that callers write themselves, to be somebody. */
const FORGED = {
  'x-auth-user': 'root',
  'x-auth-session': 'forged',
  'x-auth-acr': 'aal2',
  // Applications behind CGI or WSGI read these as the same.
  x_auth_user: 'root',
  'X_Auth-Session': 'forged',
  'X-Auth_Acr': 'aal2',
};

/** The identity headers that reached an application, in any spelling. */
const identityOf = (headers: Record<string, string>): readonly string[] =>
  Object.keys(headers)
    .filter((name) => /^x[-_]auth[-_]/i.test(name))
    .sort();

let server: Server;
let ada: SignedIn;
let socket: string;
beforeAll(async () => {
  const directory = newDirectory();
  // The proxies' workers may be another user.
  chmodSync(directory, 0o755);
  server = await startServer({
    directory,
    env: {
      POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0,unix:./postern.sock?mode=0666',
      POSTERN_TOKENS_PROFILE_CLAIMS: 'preferred_username',
    },
  });
  socket = join(directory, 'postern.sock');
  ada = await server.register('ada');
});
afterAll(() => server.stop());

async function proxyOf(
  command: (directory: string, places: { port: number; app: number }) => readonly string[],
): Promise<Proxy> {
  const echo = await startEcho();
  const port = await freePort();
  const directory = newDirectory();
  const peer = await startPeer(command(directory, { port, app: echo.port }), directory, port);
  return {
    peer,
    echo,
    call: (method, path, options) => ask({ host: '127.0.0.1', port }, method, path, options),
  };
}

describe('verify.mjs', () => {
  const verify = (token: string, env: Record<string, string> = {}): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, [join(EXAMPLES, 'verify.mjs'), token], {
      env: { JWKS_URL: `${server.url}/.well-known/jwks.json`, ...env },
      encoding: 'utf8',
    });

  test('prints the claims of a good token', () => {
    const { status, stdout } = verify(ada.access);
    expect(status).toBe(0);
    expect(stdout).toContain(`sub: '${ada.userId}'`);
    expect(stdout).toContain(`iss: '${ISSUER}'`);
  });

  test.each([
    ['a refresh token', () => verify(ada.refresh)],
    ['no token', () => verify('')],
    ['a token for another audience', () => verify(ada.access, { AUDIENCE: 'other' })],
    ['a token of another issuer', () => verify(ada.access, { ISSUER: 'https://auth.example.com' })],
    ['a token of another algorithm', () => verify(ada.access, { ALGORITHM: 'RS256' })],
    [
      'an altered token',
      () => verify(ada.access.replace(/\.[^.]+\./, (payload) => payload.replace(/[a-y]/, 'z'))),
    ],
  ])('refuses %s', (_, run) => {
    expect(run().status).not.toBe(0);
  });

  test('has at most six lines of code', () => {
    expect(
      example('verify.mjs')
        .split('\n')
        .filter((line) => line.trim() !== '' && !line.startsWith('//')).length,
    ).toBeLessThanOrEqual(6);
  });
});

describe.skipIf(isMissing('nginx'))('nginx', () => {
  let proxy: Proxy;
  beforeAll(async () => {
    proxy = await proxyOf((directory, places) =>
      nginx(directory, { ...places, upstream: `unix:${socket}` }),
    );
  });
  afterAll(async () => {
    await proxy.peer.stop();
    await proxy.echo.stop();
  });

  test('a good token goes through with the identity of the token, whatever the caller wrote', async () => {
    const { status, body } = await proxy.call('GET', '/orders?x=1', {
      token: ada.access,
      headers: {
        ...FORGED,
        'x-auth-email': 'root@example.com',
        'x-auth-username': 'root',
        'x-forwarded-for': '203.0.113.7',
      },
    });
    expect([status, body.path]).toEqual([200, '/orders?x=1']);
    expect(body.headers).toMatchObject({
      'x-auth-user': ada.userId,
      'x-auth-session': ada.sessionId,
      'x-auth-acr': 'aal1',
      'x-auth-username': 'ada',
      'x-forwarded-for': '127.0.0.1',
    });
    expect(identityOf(body.headers)).toEqual([
      'x-auth-acr',
      'x-auth-session',
      'x-auth-user',
      'x-auth-username',
    ]);
  });

  test('POST bodies reach the application, and the check of the token does not eat them', async () => {
    const { status, body } = await proxy.call('POST', '/orders', {
      token: ada.access,
      body: { item: 'x'.repeat(5_000) },
    });
    expect([status, body.headers['content-length']]).toEqual([200, '5011']);
  });

  test('no token, a bad one, a refresh token: 401 with the challenge, and nothing reaches the application', async () => {
    const before = proxy.echo.last();
    for (const headers of [
      FORGED,
      { authorization: 'Bearer x.y.z' },
      { authorization: `Bearer ${ada.refresh}` },
      { authorization: 'Basic YTpi' },
    ]) {
      const { status, headers: answered } = await proxy.call('GET', '/orders', { headers });
      expect([status, answered['www-authenticate']]).toEqual([
        401,
        expect.stringMatching(/^Bearer/),
      ]);
    }
    expect(proxy.echo.last()).toBe(before);
  });

  test('the internal location is reached by nobody', async () => {
    expect((await proxy.call('GET', '/_verify', { token: ada.access })).status).toBe(404);
  });

  test("/auth/ is postern: sign-in with the client's real address, refused as postern refuses", async () => {
    const { status, body } = await proxy.call('POST', '/auth/login', {
      body: { username: 'ada', password: PASSWORD },
      headers: { 'x-forwarded-for': '203.0.113.7', 'user-agent': 'through nginx' },
    });
    expect([status, body.status]).toEqual([200, 'authenticated']);
    const { body: listed } = await proxy.call('GET', '/auth/me/sessions', {
      token: body.access_token,
    });
    expect(
      listed.sessions.find(
        (session: { user_agent: string }) => session.user_agent === 'through nginx',
      ).ip,
    ).toBe('127.0.0.1');
    expect(
      (await proxy.call('POST', '/auth/login', { body: { username: 'ada', password: 'wrong' } }))
        .body.code,
    ).toBe('invalid_credentials');
  });

  test('both forms of the metadata of an issuer with a path are there', async () => {
    for (const path of [
      '/.well-known/oauth-authorization-server/auth',
      '/auth/.well-known/oauth-authorization-server',
      '/auth/.well-known/openid-configuration',
    ]) {
      const { status, body } = await proxy.call('GET', path);
      expect([path, status, body.issuer]).toEqual([path, 200, ISSUER]);
    }
  });

  test('a session that ended is refused at once', async () => {
    const { body } = await server.login('ada');
    expect((await proxy.call('GET', '/orders', { token: body.access_token })).status).toBe(200);
    await proxy.call('POST', '/auth/logout', { body: { refresh_token: body.refresh_token } });
    expect((await proxy.call('GET', '/orders', { token: body.access_token })).status).toBe(401);
  });
});

describe.skipIf(isMissing('haproxy'))('haproxy', () => {
  let proxy: Proxy;
  let own: { publicKey: CryptoKey; privateKey: CryptoKey };

  const start = (pem: string, issuer: string): Promise<Proxy> =>
    proxyOf((directory, places) => haproxy(directory, { ...places, socket, pem, issuer }));
  beforeAll(async () => {
    proxy = await start((await server.cli(['keys', 'export', '--pem'])).stdout, ISSUER);
    own = await generateKeyPair('ES256', { extractable: true });
  });
  afterAll(async () => {
    await proxy.peer.stop();
    await proxy.echo.stop();
  });

  test('both forms of the metadata of an issuer with a path are there', async () => {
    for (const path of [
      '/.well-known/oauth-authorization-server/auth',
      '/auth/.well-known/oauth-authorization-server',
      '/auth/.well-known/openid-configuration',
    ]) {
      const { status, body } = await proxy.call('GET', path);
      expect([path, status, body.issuer]).toEqual([path, 200, ISSUER]);
    }
  });

  test('a good token goes through with the identity of the token, whatever the caller wrote', async () => {
    const { status, body } = await proxy.call('GET', '/orders', {
      token: ada.access,
      headers: { ...FORGED, 'x-forwarded-for': '203.0.113.7' },
    });
    expect(status).toBe(200);
    expect(body.headers).toMatchObject({
      'x-auth-user': ada.userId,
      'x-auth-session': ada.sessionId,
      'x-auth-acr': 'aal1',
      'x-forwarded-for': '127.0.0.1',
    });
    expect(identityOf(body.headers)).toEqual(['x-auth-acr', 'x-auth-session', 'x-auth-user']);
  });

  test('no token, a bad one, a refresh token, an altered one: 401, and nothing reaches the application', async () => {
    const before = proxy.echo.last();
    const [header, payload, signature = ''] = ada.access.split('.');
    const altered = `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    for (const headers of [
      FORGED,
      { authorization: 'Bearer x.y.z' },
      { authorization: `Bearer ${ada.refresh}` },
      { authorization: `Bearer ${altered}` },
      { authorization: 'Bearer ' },
    ]) {
      const { status, headers: answered } = await proxy.call('GET', '/orders', { headers });
      expect([status, answered['www-authenticate']]).toEqual([401, 'Bearer error="invalid_token"']);
    }
    expect(proxy.echo.last()).toBe(before);
  });

  test("/auth/ is postern, over its Unix socket, with the client's real address", async () => {
    const { status, body } = await proxy.call('POST', '/auth/login', {
      body: { username: 'ada', password: PASSWORD },
      headers: { 'x-forwarded-for': '203.0.113.7', 'user-agent': 'through haproxy' },
    });
    expect(status).toBe(200);
    const { body: listed } = await proxy.call('GET', '/auth/me/sessions', {
      token: body.access_token,
    });
    expect(
      listed.sessions.find(
        (session: { user_agent: string }) => session.user_agent === 'through haproxy',
      ).ip,
    ).toBe('127.0.0.1');
  });

  test('a token with a right signature is still refused by type, issuer, audience and expiry, each by itself', async () => {
    const forger = await start(await exportSPKI(own.publicKey), ISSUER);
    const now = Math.floor(Date.now() / 1_000);
    const good = {
      iss: ISSUER,
      aud: 'postern',
      sub: 'somebody',
      sid: 's',
      acr: 'aal1',
      exp: now + 60,
    };
    const statusOf = async (claims: Record<string, unknown>, typ = 'at+jwt'): Promise<number> => {
      const token = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', typ })
        .sign(own.privateKey);
      return (await forger.call('GET', '/', { token })).status;
    };
    const { exp: _, ...endless } = good;
    const { sid: __, ...ofService } = good;
    expect([
      await statusOf(good),
      await statusOf(good, 'JWT'),
      await statusOf({ ...good, iss: 'https://evil.example.com' }),
      await statusOf({ ...good, aud: 'another' }),
      await statusOf({ ...good, exp: now - 1 }),
      await statusOf(endless),
      await statusOf(ofService),
    ]).toEqual([200, 401, 401, 401, 401, 401, 401]);
    const hmac = await new SignJWT(good)
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
      .sign(new TextEncoder().encode(await exportSPKI(own.publicKey)));
    const none = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${Buffer.from(JSON.stringify(good)).toString('base64url')}.`;
    for (const token of [hmac, none])
      expect((await forger.call('GET', '/', { token })).status).toBe(401);
    await forger.peer.stop();
    await forger.echo.stop();
  });
});

describe('systemd', () => {
  const UNITS = ['postern.service', 'postern.socket'];

  /** Directives by section; a line that is none is a fault. */
  function parsed(name: string): Record<string, string[]> {
    const directives: Record<string, string[]> = {};
    let section = '';
    for (const line of example(`systemd/${name}`).split('\n')) {
      if (line === '' || line.startsWith('#')) continue;
      const head = /^\[(\w+)\]$/.exec(line);
      const [, key, value] = /^([A-Z]\w+)=(.*)$/.exec(line) ?? [];
      if (head !== null) section = head[1] ?? '';
      else if (key === undefined) throw new Error(`${name}: ${line}`);
      else {
        const name = `${section}.${key}`;
        directives[name] = [...(directives[name] ?? []), value ?? ''];
      }
    }
    return directives;
  }

  test('the service tells that it is ready, is not started again for what a start can not mend, and leaves the hash threads nice', () => {
    const service = parsed('postern.service');
    expect(service).toMatchObject({
      'Service.Type': ['notify'],
      'Service.NotifyAccess': ['all'],
      'Service.RestartPreventExitStatus': ['2 78'],
      'Service.ProtectSystem': ['strict'],
      'Service.CapabilityBoundingSet': [''],
      'Service.NoNewPrivileges': ['yes'],
      'Service.StateDirectoryMode': ['0700'],
      'Service.SystemCallFilter': ['@system-service', '~@privileged'],
    });
    expect(service['Service.MemoryDenyWriteExecute']).toBeUndefined();
    expect(parsed('postern.socket')).toMatchObject({
      'Socket.ListenStream': ['/run/postern/postern.sock'],
      'Socket.SocketMode': ['0660'],
    });
  });

  test('its configuration is fine, and where it and the unit meet they say the same', async () => {
    const file = join(EXAMPLES, 'systemd/config.toml');
    const { config } = parseConfig({
      file: { path: file, text: readFileSync(file, 'utf8'), isReadableByOthers: false },
      env: {},
      readSecretFile: () => ({ text: '', isReadableByOthers: false }),
    });
    const unit = parsed('postern.service');
    expect(config.server.listen).toEqual([{ kind: 'systemd' }]);
    expect(unit['Unit.Requires']).toEqual(['postern.socket']);
    const [folder] = unit['Service.WorkingDirectory'] ?? [];
    expect(config.database.url).toBe(`file:${folder}/postern.db`);
    expect(unit['Service.ExecStart']?.[0]).toContain('--config /etc/postern/config.toml');
    expect(example('systemd/postern.sysusers')).toContain(`u ${unit['Service.User']?.[0]} -`);
  });

  test('postern-run runs a verb with the unit’s user, environment and credentials, in its order', () => {
    const directory = newDirectory();
    const drop =
      '[Service]\nLoadCredential=password.pepper:/etc/postern/pepper\nEnvironment=A=1 "B=two words"\n';
    writeFileSync(join(directory, 'unit'), `${example('systemd/postern.service')}${drop}`);
    const program = (name: string, text: string): void =>
      writeFileSync(join(directory, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    program('systemctl', `[ "$*" = "cat postern.service" ] && cat ${directory}/unit`);
    program('systemd-run', 'for each in "$@"; do echo "$each"; done');
    const { status, stdout } = spawnSync(
      join(EXAMPLES, 'systemd/postern-run'),
      ['user', 'disable', 'a name'],
      { encoding: 'utf8', env: { PATH: `${directory}:${process.env['PATH']}` } },
    );
    expect([status, stdout.trim().split('\n')]).toEqual([
      0,
      [
        '--quiet',
        '--collect',
        '--wait',
        '--pipe',
        '--property=User=postern',
        '--property=Group=postern',
        '--property=StateDirectory=postern',
        '--property=StateDirectoryMode=0700',
        '--property=WorkingDirectory=/var/lib/postern',
        '--property=UMask=0077',
        '--property=LoadCredential=password.pepper:/etc/postern/pepper',
        '--property=Environment=A=1 "B=two words"',
        '--setenv=POSTERN_CONFIG=/etc/postern/config.toml',
        '/usr/bin/postern',
        'user',
        'disable',
        'a name',
      ],
    ]);
  });

  const analyze = existsSync('/usr/bin/systemd-analyze');
  test.skipIf(!analyze)(
    'systemd-analyze verify finds nothing but what is not installed here',
    () => {
      const { stdout, stderr } = spawnSync(
        'systemd-analyze',
        ['verify', '--man=no', ...UNITS.map((name) => join(EXAMPLES, 'systemd', name))],
        { encoding: 'utf8' },
      );
      const said = `${stdout}${stderr}`
        .split('\n')
        .filter((line) => line !== '' && !/is not executable|No such file/.test(line));
      expect(said).toEqual([]);
    },
  );

  test.skipIf(!analyze)('systemd-analyze security: exposure of at most 1.5', () => {
    const said = execFileSync(
      'systemd-analyze',
      ['security', '--offline=true', join(EXAMPLES, 'systemd/postern.service')],
      { encoding: 'utf8', env: { ...process.env, SYSTEMD_COLORS: '0' } },
    );
    expect(
      Number(/exposure level for postern\.service: ([\d.]+)/.exec(said)?.[1]),
    ).toBeLessThanOrEqual(1.5);
  });
});

test('each folder of examples/ says in about ten lines what it is and what to do', () => {
  for (const name of readdirSync(EXAMPLES, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  )) {
    const lines = example(`${name.name}/README.md`).trim().split('\n');
    expect([name.name, lines[0]?.startsWith('# '), lines.length <= 20]).toEqual([
      name.name,
      true,
      true,
    ]);
  }
});
