/**
 * Where the built server listens: TCP, Unix sockets, sockets that were handed over; whose files it
 * touches, and its limits (A06, G4).
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  UNPRIVILEGED,
  ask,
  environment,
  eventually,
  newDirectory,
  newUnprivilegedDirectory,
  runProgram,
  startServer,
} from '../support/process.ts';
import type { Run, Where } from '../support/process.ts';

const SOCKET = { POSTERN_SERVER_LISTEN: 'unix:./postern.sock' };

const mode = (path: string): string => (statSync(path).mode & 0o7777).toString(8);

function serve(directory: string, env: Record<string, string>, uid?: number): Promise<Run> {
  return runProgram(['serve'], {
    directory,
    env: environment(env),
    ...(uid === undefined ? {} : { uid }),
  });
}

function expectRefusal(run: Run, message: RegExp): void {
  expect(run.stderr.trim().split('\n')).toHaveLength(1);
  expect(run.stderr).toMatch(message);
  expect(run.stderr).not.toMatch(/\bat .*:\d+:\d+|has a bug/);
  expect(run.code).toBe(1);
}

describe('several at once', () => {
  test('IPv4, IPv6 and two Unix sockets serve one service, and the first line lists each', async () => {
    const directory = newDirectory();
    const server = await startServer({
      directory,
      env: {
        POSTERN_SERVER_LISTEN:
          'tcp://127.0.0.1:0,tcp://[::1]:0,unix:./a.sock,unix:./b.sock?mode=0600',
      },
    });
    expect(server.listen).toEqual([
      expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^http:\/\/\[::1\]:\d+$/),
      'unix:./a.sock',
      'unix:./b.sock',
    ]);
    const { access } = await server.register('ada');
    const ways: Where[] = [
      ...server.listen.slice(0, 2).map((url) => ({
        host: new URL(url).hostname.replace(/^\[|\]$/g, ''),
        port: Number(new URL(url).port),
      })),
      { socketPath: join(directory, 'a.sock') },
      { socketPath: join(directory, 'b.sock') },
    ];
    for (const where of ways)
      expect((await ask(where, 'GET', '/verify', { token: access })).status).toBe(204);
    await server.stop();
    expect([existsSync(join(directory, 'a.sock')), existsSync(join(directory, 'b.sock'))]).toEqual([
      false,
      false,
    ]);
  });

  test('one that can not be opened leaves none open: the first socket is gone again', async () => {
    const directory = newDirectory();
    expectRefusal(
      await serve(directory, {
        POSTERN_SERVER_LISTEN: 'unix:./a.sock,unix:./no/such/folder/b.sock',
      }),
      /its folder does not exist|b\.sock/,
    );
    expect(existsSync(join(directory, 'a.sock'))).toBe(false);
  });
});

describe('the Unix socket', () => {
  test('is 0660, so that strangers on the machine are kept out', async () => {
    const directory = newDirectory();
    const server = await startServer({ directory, env: SOCKET });
    expect(mode(join(directory, 'postern.sock'))).toBe('660');
    await server.stop();
  });

  test('has the mode and the group that it is given, by name or by number', async () => {
    const directory = newDirectory();
    const gid = process.getgid?.() ?? 0;
    const group =
      readFileSync('/etc/group', 'utf8')
        .split('\n')
        .find((line) => line.split(':')[2] === String(gid))
        ?.split(':')[0] ?? String(gid);
    const server = await startServer({
      directory,
      env: {
        POSTERN_SERVER_LISTEN: `unix:./named.sock?mode=0600&group=${group},unix:./numbered.sock?mode=0666&group=${gid}`,
      },
    });
    expect([mode(join(directory, 'named.sock')), mode(join(directory, 'numbered.sock'))]).toEqual([
      '600',
      '666',
    ]);
    expect(statSync(join(directory, 'named.sock')).gid).toBe(gid);
    expect(server.stderr()).toMatch(/can be used by every user of this machine/);
    await server.stop();
  });

  test('is given to another group by who may', { skip: UNPRIVILEGED === undefined }, async () => {
    const directory = newDirectory();
    const server = await startServer({
      directory,
      env: { POSTERN_SERVER_LISTEN: 'unix:./postern.sock?group=65534' },
    });
    expect(statSync(join(directory, 'postern.sock')).gid).toBe(65_534);
    await server.stop();
  });

  test("of a group that is not there, or not this user's, is a refusal that ends the program and leaves no socket", async () => {
    const directory = newUnprivilegedDirectory();
    expectRefusal(
      await serve(
        directory,
        { POSTERN_SERVER_LISTEN: 'unix:./postern.sock?group=nosuchgroup' },
        UNPRIVILEGED,
      ),
      /there is no group nosuchgroup/,
    );
    expectRefusal(
      await serve(
        directory,
        { POSTERN_SERVER_LISTEN: 'unix:./postern.sock?group=0' },
        UNPRIVILEGED,
      ),
      /can't be given to group 0/,
    );
    expect(existsSync(join(directory, 'postern.sock'))).toBe(false);
  });

  test('of a killed server is replaced', async () => {
    const directory = newDirectory();
    const path = join(directory, 'postern.sock');
    const killed = await startServer({ directory, env: SOCKET });
    await killed.kill();
    expect(existsSync(path)).toBe(true);
    const next = await startServer({ directory, env: SOCKET });
    expect((await ask({ socketPath: path }, 'GET', '/healthz')).status).toBe(200);
    await next.stop();
    expect(existsSync(path)).toBe(false);
  });

  test('A06: a file, a folder or a link at its path is refused and stays as it is', async () => {
    const directory = newDirectory();
    const path = join(directory, 'postern.sock');
    writeFileSync(path, 'a letter that somebody keeps here');
    expectRefusal(
      await serve(directory, SOCKET),
      /postern\.sock exists and is not a socket\. Nothing was deleted/,
    );
    expect(readFileSync(path, 'utf8')).toBe('a letter that somebody keeps here');
    mkdirSync(join(directory, 'folder.sock'));
    expectRefusal(
      await serve(directory, { POSTERN_SERVER_LISTEN: 'unix:./folder.sock' }),
      /is not a socket/,
    );
    expect(statSync(join(directory, 'folder.sock')).isDirectory()).toBe(true);
  });

  test('that somebody serves is refused as already served, and goes on being served', async () => {
    const directory = newDirectory();
    const first = await startServer({ directory, env: SOCKET });
    expectRefusal(
      await serve(newDirectory(), {
        POSTERN_SERVER_LISTEN: `unix:${join(directory, 'postern.sock')}`,
      }),
      /is already served by a running program/,
    );
    expect(
      (await ask({ socketPath: join(directory, 'postern.sock') }, 'GET', '/healthz')).status,
    ).toBe(200);
    await first.stop();
  });

  test("counts X-Forwarded-For as the client's address; TCP does not without trusted_proxies", async () => {
    const directory = newDirectory();
    const server = await startServer({
      directory,
      env: { POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0,unix:./postern.sock' },
    });
    const { access } = await server.register('ada');
    const headers = { 'x-forwarded-for': '203.0.113.7', 'user-agent': 'socket' };
    const socket: Where = { socketPath: join(directory, 'postern.sock') };
    const body = { username: 'ada', password: 'correct horse battery staple' };
    await ask(socket, 'POST', '/login', { body, headers });
    await server.call('POST', '/login', { body, headers: { ...headers, 'user-agent': 'tcp' } });
    const { body: listed } = await server.call('GET', '/me/sessions', { token: access });
    const ipOf = (agent: string): unknown =>
      listed.sessions.find(({ user_agent }: { user_agent: string }) => user_agent === agent)?.ip;
    expect([ipOf('socket'), ipOf('tcp')]).toEqual(['203.0.113.7', '127.0.0.1']);
    await server.stop();
  });
});

describe('TCP', () => {
  test('a port in use is reported with what to do, and the exit code is 1', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const run = await serve(newDirectory(), { POSTERN_SERVER_LISTEN: `tcp://127.0.0.1:${port}` });
    expectRefusal(
      run,
      new RegExp(
        `127\\.0\\.0\\.1:${port} is taken by another program\\. Stop it, or set server\\.listen \\(POSTERN_SERVER_LISTEN\\)\\.`,
      ),
    );
    await new Promise((resolve) => other.close(resolve));
  });

  test('an address of another machine is reported as such', async () => {
    expectRefusal(
      await serve(newDirectory(), {
        POSTERN_SERVER_LISTEN: 'tcp://192.0.2.1:7400',
        POSTERN_SERVER_PUBLIC_URL: 'https://auth.example.com',
        POSTERN_MAIL_TRANSPORTS: 'file',
      }),
      /192\.0\.2\.1:7400 is not an address of this machine/,
    );
  });
});

/**
 * Binds as systemd does, tells the process of it, and becomes the program: LISTEN_PID has to be its
 * own.
 */
const ACTIVATE = `
import os, socket, sys
kind, where, *command = sys.argv[1:]
if kind == "unix":
    listener = socket.socket(socket.AF_UNIX); listener.bind(where)
else:
    listener = socket.socket(socket.AF_INET); listener.bind(("127.0.0.1", int(where)))
listener.listen(64)
os.dup2(listener.fileno(), 3); os.set_inheritable(3, True)
os.environ["LISTEN_FDS"] = "1"; os.environ["LISTEN_PID"] = os.environ.get("WRONG_PID", str(os.getpid()))
os.execvp(command[0], command)
`;

describe('sockets that systemd hands over', () => {
  const handed = (kind: 'unix' | 'tcp', where: string): readonly string[] => [
    '/usr/bin/python3',
    '-c',
    ACTIVATE,
    kind,
    where,
  ];
  const SYSTEMD = { POSTERN_SERVER_LISTEN: 'systemd:' };

  test('a Unix socket is served as it is, and its path stays: who made it deletes it', async () => {
    const directory = newDirectory();
    const path = join(directory, 'systemd.sock');
    const server = await startServer({ directory, env: SYSTEMD, wrap: handed('unix', path) });
    const before = mode(path);
    const { body } = await ask({ socketPath: path }, 'POST', '/register', {
      body: { username: 'ada', password: 'correct horse battery staple' },
      headers: { 'x-forwarded-for': '203.0.113.7' },
    });
    const listed = await ask({ socketPath: path }, 'GET', '/me/sessions', {
      token: body.access_token,
    });
    expect(listed.body.sessions[0].ip).toBe('203.0.113.7');
    expect((await server.stop()).code).toBe(0);
    expect([existsSync(path), mode(path)]).toEqual([true, before]);
  });

  test('a TCP socket is served, and nobody forges an address there', async () => {
    const server = await startServer({ env: SYSTEMD, wrap: handed('tcp', '0') });
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const { body } = await server.call('POST', '/register', {
      body: { username: 'ada', password: 'correct horse battery staple' },
      headers: { 'x-forwarded-for': '203.0.113.7' },
    });
    expect(
      (await server.call('GET', '/me/sessions', { token: body.access_token })).body.sessions[0].ip,
    ).toBe('127.0.0.1');
    await server.stop();
  });

  test('meant for another process, or not there at all, they are refused with what to do', async () => {
    expectRefusal(
      await serve(newDirectory(), SYSTEMD),
      /systemd handed over no socket \(LISTEN_FDS\)/,
    );
    const directory = newDirectory();
    expectRefusal(
      await runProgram(['serve'], {
        directory,
        env: { ...environment(SYSTEMD), WRONG_PID: '1' },
        wrap: handed('unix', join(directory, 's.sock')),
      }),
      /systemd handed over no socket \(LISTEN_FDS\)/,
    );
  });

  test('READY=1 and STOPPING=1 are sent to NOTIFY_SOCKET', {
    skip: !existsSync('/usr/bin/systemd-notify'),
  }, async () => {
    const directory = newDirectory();
    const path = join(directory, 'notify.sock');
    // Node reads no datagrams from Unix sockets.
    const script =
      'import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)\nwhile True: print(s.recv(4096).decode(), flush=True)';
    const listener = spawn('/usr/bin/python3', ['-c', script, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let heard = '';
    listener.stdout.on('data', (chunk) => (heard += String(chunk)));
    await eventually(() => heard.includes('bound'), 5_000);
    const server = await startServer({ directory, env: { NOTIFY_SOCKET: path } });
    await eventually(() => heard.includes('READY=1'), 5_000);
    expect(heard).toContain(`MAINPID=${server.pid}`);
    await server.stop();
    await eventually(() => heard.includes('STOPPING=1'), 5_000);
    listener.kill();
  });
});

describe('limits', () => {
  const IMPATIENT = {
    POSTERN_SERVER_HEADER_TIMEOUT: '1s',
    POSTERN_SERVER_REQUEST_TIMEOUT: '2s',
    POSTERN_SERVER_KEEP_ALIVE_TIMEOUT: '1s',
  };

  function raw(
    url: string,
  ): Promise<{ socket: Socket; received: () => string; closed: Promise<number> }> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const started = performance.now();
      let text = '';
      const socket = connect(Number(port), hostname, () => {
        resolve({
          socket,
          received: () => text,
          closed: new Promise((done) =>
            socket.once('close', () => done(performance.now() - started)),
          ),
        });
      });
      socket.once('error', reject);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => (text += String(chunk)));
    });
  }

  test('headers, bodies and idle connections that take too long are ended, the first two with 408', async () => {
    const server = await startServer({ env: IMPATIENT });
    const headers = await raw(server.url);
    headers.socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
    const body = await raw(server.url);
    body.socket.write(
      'POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"use',
    );
    const idle = await raw(server.url);
    idle.socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [headersMs, bodyMs, idleMs] = await Promise.all([
      headers.closed,
      body.closed,
      idle.closed,
    ]);
    expect(headers.received()).toMatch(/^HTTP\/1\.1 408 /);
    expect(headers.received()).toContain('application/problem+json');
    expect(body.received()).toMatch(/^HTTP\/1\.1 408 /);
    expect(idle.received()).toMatch(/^HTTP\/1\.1 200 /);
    for (const [took, least, most] of [
      [headersMs, 900, 3_500],
      [bodyMs, 1_900, 4_500],
      [idleMs, 900, 4_000],
    ] as const) {
      expect(took).toBeGreaterThan(least);
      expect(took).toBeLessThan(most);
    }
    await server.stop();
  });

  test('connections beyond server.max_connections are closed at once, and there is room again when one goes', async () => {
    const server = await startServer({ env: { POSTERN_SERVER_MAX_CONNECTIONS: '16' } });
    const held = await Promise.all(Array.from({ length: 16 }, () => raw(server.url)));
    const beyond = await raw(server.url);
    expect(await beyond.closed).toBeLessThan(1_000);
    await expect(server.call('GET', '/healthz')).rejects.toThrow();
    held.forEach(({ socket }) => socket.destroy());
    await eventually(
      async () => (await server.call('GET', '/healthz').catch(() => undefined))?.status === 200,
      2_000,
    );
    await server.stop();
  });
});
