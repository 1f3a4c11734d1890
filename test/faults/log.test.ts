/**
 * What the log says, and what it never says (G12, A07, ASVS 16.2.5): canaries through every door of
 * the service, in its log and in its answers; and text of strangers that would like to be a line of
 * its own (H14, ASVS 16.4.1).
 */
import { spawnSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '../../src/cli/logger.ts';
import { createChallengeTokens } from '../../src/core/token/challenge-token.ts';
import { createTestApp, operator } from '../support/app.ts';
import type { CallOptions, Reply, TestApp } from '../support/app.ts';
import { codeAt } from '../support/mfa.ts';
import { fingerprint, startServer } from '../support/process.ts';
import { request, sendRaw } from '../support/raw.ts';

const ORIGIN = 'https://web.example.com';
const canary = (name: string) => `${name} ${randomBytes(9).toString('base64url')} kq`;
const PEPPER = randomBytes(24).toString('base64url');

/** The ways in which bytes or a text could be written down. */
function spellings(secret: string | Uint8Array): string[] {
  const bytes = Buffer.from(secret);
  return [
    ...(typeof secret === 'string'
      ? [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]
      : []),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    [...bytes].join(','),
  ];
}

describe('canaries', () => {
  let app: TestApp;
  const kek = randomBytes(32);
  const answers: Reply[] = [];
  /** Nobody's to see again, neither in the log nor in an answer. */
  const secrets = new Map<string, string | Uint8Array>();
  /** Given out in answers, and then for nobody but their owner: not for the log. */
  const tokens = new Map<string, string>();

  const send = async (method: string, path: string, options: CallOptions = {}): Promise<Reply> => {
    const reply = await app.call(method, path, options);
    answers.push(reply);
    for (const name of ['access_token', 'refresh_token', 'device_token', 'challenge_token'])
      if (typeof reply.body?.[name] === 'string')
        tokens.set(`${name} ${tokens.size}`, reply.body[name]);
    for (const line of reply.headers.getSetCookie()) {
      const value = line.split(';')[0]?.split('=')[1] ?? '';
      if (value !== '') tokens.set(`cookie ${tokens.size}`, value);
    }
    return reply;
  };
  const secret = (name: string): string => {
    const value = canary(name);
    secrets.set(name, value);
    return value;
  };

  beforeAll(async () => {
    app = await createTestApp({
      keyEncryptionKey: kek,
      config: `[password]\npepper = "${PEPPER}"\n[cookies]\nenabled = true\nallowed_origins = ["${ORIGIN}"]\n`,
    });
    secrets.set('key-encryption key', kek);
    secrets.set('pepper', PEPPER);
    const signing = app.kernel.signingKeys.signingKey().signKey?.export({ format: 'jwk' });
    secrets.set('signing key', Buffer.from(String(signing?.d), 'base64url'));
    secrets.set(
      'internal key',
      app.kernel.signingKeys.internalKeyAt(app.clock.now()).signKey?.export() ?? '',
    );
    secrets.set('derived key', app.kernel.signingKeys.derivedKey.export());
  });
  afterAll(() => app.stop());

  test('through every route, right and wrong', async () => {
    const password = secret('password');
    const origin = { origin: ORIGIN };
    const one = (
      await send('POST', '/register', {
        body: { username: 'canary-user', password, email: 'canary@example.com' },
      })
    ).body;
    await send('POST', '/register', {
      body: { username: 'canary-user', password: secret('taken name') },
    });
    await send('POST', '/register', {
      body: { username: 'canary two', password: secret('bad name') },
    });
    await send('POST', '/register', {
      body: { username: 'canary-three', password: `${secret('refused')}\u0007` },
    });
    await send('POST', '/register', {
      body: {
        username: 'canary-four',
        password: secret('unknown member'),
        [secret('member name').slice(0, 8)]: secret('member value'),
      },
    });
    await send('POST', '/register', {
      body: { username: 'canary-five', password: { nested: secret('nested') } },
    });
    await send('POST', '/register', {
      raw: `{"username":"canary-six","password":"${secret('broken JSON')}"`,
    });
    await send('POST', '/register', {
      raw: `{"password":"${secret('duplicate')}","password":"${secret('duplicate too')}"}`,
    });
    await send('POST', '/register', {
      raw: `password=${secret('form')}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    await send('POST', '/register', {
      raw: `{"password":"${secret('too large')}${'x'.repeat(70_000)}"}`,
    });
    await send('POST', '/login', { body: { username: 'canary-user', password } });
    await send('POST', '/login', {
      body: { username: 'canary-user', password, device_token: one.device_token },
    });
    await send('POST', '/login', {
      body: { username: 'canary-user', password, cookie: true },
      headers: origin,
    });
    await send('POST', '/login', { body: { username: 'canary-user', password: secret('wrong') } });
    // Who types the password into the name's field finds it in no log.
    await send('POST', '/login', { body: { username: secret('as a name'), password: 'x' } });
    await send('POST', '/login', {
      body: {
        username: `${secret('as an address').replaceAll(' ', '')}@example.com`,
        password: 'x',
      },
    });
    await send('POST', '/login', {
      body: { username: 'canary-user', password: 'x', device_token: secret('device token') },
    });
    await send('POST', '/password/check', {
      body: { password: secret('checked'), username: 'canary-user' },
    });
    await send('POST', '/password/check', {
      body: { password: `${secret('checked badly')}\u0000` },
    });
    const again = (
      await send('POST', '/reauthenticate', { token: one.access_token, body: { password } })
    ).body;
    await send('POST', '/reauthenticate', {
      token: one.access_token,
      body: { password: secret('wrong again') },
    });
    await send('POST', '/me/password', {
      token: one.access_token,
      body: { current_password: secret('wrong current'), new_password: secret('never set') },
    });
    await send('POST', '/me/password', {
      token: one.access_token,
      body: { current_password: password, new_password: 'short' },
    });
    await send('POST', '/me/password', {
      token: one.access_token,
      body: { current_password: password, new_password: secret('next') },
    });
    for (const path of ['/me', '/me/sessions', '/verify'])
      for (const token of [one.access_token, one.refresh_token, `${one.access_token}x`, 'x.y.z'])
        await send('GET', path, { token });
    await send('GET', '/me', {
      headers: {
        authorization: `Basic ${Buffer.from(`canary:${secret('basic')}`).toString('base64')}`,
      },
    });
    await send('GET', '/me', { headers: { authorization: `Bearer ${secret('bearer')}` } });
    await send('POST', '/verify', { body: { token: one.refresh_token } });
    const challenge = createChallengeTokens({
      signingKeys: app.kernel.signingKeys,
      clock: app.kernel.clock,
      issuer: 'https://auth.example.com',
    }).mint({
      id: 'c',
      userId: one.user.id,
      epoch: 0,
      device: null,
      mustChange: false,
      presented: [],
    });
    tokens.set('challenge', challenge);
    await send('GET', '/me', { token: challenge });
    await send('POST', '/refresh', { body: { refresh_token: challenge } });
    app.clock.advance(11_000);
    const refreshed = (
      await send('POST', '/refresh', { body: { refresh_token: again.refresh_token } })
    ).body;
    await send('POST', '/refresh', { token: refreshed.refresh_token });
    app.clock.advance(11_000);
    await send('POST', '/refresh', { body: { refresh_token: again.refresh_token } });
    await send('POST', '/refresh', {
      body: {},
      headers: { ...origin, cookie: `__Host-refresh=${refreshed.refresh_token}` },
    });
    await send('POST', '/refresh', {
      body: {},
      headers: { cookie: `__Host-refresh=${refreshed.refresh_token}; session=${secret('cookie')}` },
    });
    await send('GET', `/healthz?token=${encodeURIComponent(secret('query'))}`);
    await send('GET', `/${encodeURIComponent(secret('path'))}`);
    await send('DELETE', `/me/sessions/${encodeURIComponent(secret('parameter'))}`, {
      token: one.access_token,
    });
    await send('GET', `/keys/${encodeURIComponent(secret('kid'))}.pem`);
    await sendRaw(app.url, request('GET /healthz', [`X-Secret: ${secret('unparsed')}\0`]));
    await sendRaw(
      app.url,
      request('BREW /me', [`Authorization: Bearer ${secret('unknown method')}`]),
    );
    for (let i = 0; i < 13; i++)
      await send('POST', '/login', {
        body: { username: 'canary-user', password: secret(`guess ${i}`) },
      });
    const gone = (
      await send('POST', '/register', {
        body: { username: 'canary-gone', password: secret('gone') },
      })
    ).body;
    await app.kernel.accountState.disable(operator, gone.user.id);
    await send('POST', '/login', {
      body: { username: 'canary-gone', password: secrets.get('gone') },
    });
    // A second factor: its seed, its codes and the recovery codes are for their owner alone.
    const mfa = (
      await send('POST', '/register', { body: { username: 'canary-mfa', password: secret('mfa') } })
    ).body;
    const seed = (await send('POST', '/me/totp', { token: mfa.access_token })).body.secret;
    tokens.set('seed', seed);
    const code = codeAt(seed, app.clock.now());
    const { recovery_codes: codes } = (
      await send('POST', '/me/totp/confirm', { token: mfa.access_token, body: { code } })
    ).body;
    codes.forEach((one: string, i: number) => tokens.set(`recovery code ${i}`, one));
    const pending = (
      await send('POST', '/login', {
        body: { username: 'canary-mfa', password: secrets.get('mfa') },
      })
    ).body;
    await send('POST', '/login/mfa', {
      body: { challenge_token: pending.challenge_token, totp: secret('a code') },
    });
    await send('POST', '/login/mfa', {
      body: { challenge_token: pending.challenge_token, recovery_code: secret('another code') },
    });
    await send('POST', '/login/mfa', {
      body: { challenge_token: pending.challenge_token, recovery_code: codes[0] },
    });
    await send('POST', '/login/mfa', {
      body: { challenge_token: secret('challenge'), totp: code },
    });
    await send('POST', '/login/passkey', {
      body: {
        challenge_id: secret('challenge id'),
        credential: {
          id: 'AA',
          rawId: 'AA',
          type: 'public-key',
          response: { clientDataJSON: 'AA', authenticatorData: 'AA', signature: 'AA' },
        },
      },
    });
    await send('POST', '/reauthenticate', {
      token: mfa.access_token,
      body: { totp: secret('again') },
    });
    await send('GET', '/openapi.json');
    await send('GET', '/.well-known/jwks.json');
    expect(answers.map(({ status }) => status)).toEqual(
      expect.arrayContaining([200, 201, 204, 400, 401, 403, 404, 409, 413, 415, 422, 429]),
    );
  });

  test('and while the database fails', async () => {
    const own = await createTestApp({
      keyEncryptionKey: kek,
      config: `[password]\npepper = "${PEPPER}"\n`,
    });
    const user = await own.register('canary-crash', secret('crash'));
    tokens
      .set('crash access', user.access)
      .set('crash refresh', user.refresh)
      .set('crash device', user.deviceToken);
    await own.db.close();
    for (const reply of [
      await own.login('canary-crash', String(secrets.get('crash')), {
        device_token: user.deviceToken,
      }),
      await own.call('GET', '/me', { token: user.access }),
      await own.call('POST', '/refresh', { body: { refresh_token: user.refresh } }),
      await own.call('POST', '/register', {
        body: { username: 'canary-crash-two', password: secret('crash two') },
      }),
      await own.call('GET', '/readyz'),
    ]) {
      answers.push(reply);
      expect(reply.status).toBeGreaterThanOrEqual(500);
      // ASVS 16.5.1
      expect(JSON.stringify(reply.body)).not.toMatch(
        /sql|select|insert|sqlite|libsql|\.ts|\/tmp|at \w+ \(/i,
      );
    }
    app.log.push(...own.log);
    expect(
      own.log.some(
        ({ event, 'exception.message': message }) =>
          event === 'request.failed' && message !== undefined,
      ),
    ).toBe(true);
    await own.stop().catch(() => undefined);
  });

  test('no line of the log has one', () => {
    const log = JSON.stringify(app.log);
    expect(app.log.length).toBeGreaterThan(60);
    expect(
      [...secrets]
        .filter(([, value]) => spellings(value).some((text) => log.includes(text)))
        .map(([name]) => name),
    ).toEqual([]);
    expect(tokens.size).toBeGreaterThan(12);
    // Neither whole nor by its signature, which is what makes it one.
    expect(
      [...tokens]
        .filter(
          ([, token]) => log.includes(token) || log.includes(token.split('.').at(-1) ?? token),
        )
        .map(([name]) => name),
    ).toEqual([]);
    expect(log).not.toMatch(/\$argon2|BEGIN [A-Z ]*KEY|eyJ[A-Za-z0-9_-]{20}/);
    expect(log).not.toContain('canary@example.com');
  });

  test('no answer has a secret, and none says a token again that it refused', () => {
    // The name of an unknown member comes back as the pointer to it: it is the caller's own, and
    // needed.
    const own = new Set(['member name']);
    for (const { status, body, headers } of answers) {
      const text = JSON.stringify(body) + JSON.stringify([...headers]);
      expect([
        status,
        [...secrets]
          .filter(
            ([name, value]) =>
              !own.has(name) && spellings(value).some((spelled) => text.includes(spelled)),
          )
          .map(([name]) => name),
      ]).toEqual([status, []]);
      if (status >= 400)
        expect([
          status,
          [...tokens]
            .filter(([, token]) => text.includes(token.split('.').at(-1) ?? token))
            .map(([name]) => name),
        ]).toEqual([status, []]);
      expect(text).not.toMatch(/\$argon2|_sealed|_hash/);
    }
  });

  test('what happened stands there: who, what, from where, under which request id (ASVS 16.2.1, 16.3.1, 16.3.3)', () => {
    const events = new Set(app.log.map(({ event }) => event));
    for (const event of [
      'sign_in.succeeded',
      'sign_in.failed',
      'user.registered',
      'password.changed',
      'session.reauthenticated',
      'refresh_token.reused',
      'http.request',
    ])
      expect([event, events.has(event)]).toEqual([event, true]);
    for (const line of app.log.filter(({ event }) =>
      /^(?:sign_in|second_factor|factor)\.|^session\.reauthenticated$/.test(event),
    )) {
      expect(line.request_id).toMatch(/^[A-Za-z0-9._-]+$/);
      expect(line['client.address']).toBe('127.0.0.1');
    }
    expect(
      app.log.some(
        ({ event, 'error.type': type, level }) =>
          event === 'sign_in.failed' && type === 'too_many_attempts' && level === 'warn',
      ),
    ).toBe(true);
    for (const line of app.log) expect(line.event).toMatch(/^[a-z_]+\.[a-z_]+$/);
  });
});

test('A07, ASVS 16.2.2, 16.2.3: a real process, its secrets in its environment: not in its output, not in its command line; each line parses, has its time in UTC, and goes to stdout alone', {
  timeout: 60_000,
}, async () => {
  const kek = randomBytes(32);
  const server = await startServer({
    env: {
      POSTERN_SECRETS_KEY_ENCRYPTION_KEY: kek.toString('base64'),
      POSTERN_PASSWORD_PEPPER: PEPPER,
    },
  });
  const password = canary('process');
  const user = await server.register('canary-process', password);
  await server.login('canary-process', canary('process wrong'));
  await server.call('GET', '/me', { token: user.access });
  await server.call('POST', '/refresh', { body: { refresh_token: user.refresh } });
  await server.call('POST', '/refresh', { body: { refresh_token: `${user.refresh}x` } });
  const { readFileSync } = await import('node:fs');
  const commandLine = readFileSync(`/proc/${server.pid}/cmdline`, 'utf8');
  await server.stop();
  const output = server.stdout() + server.stderr() + commandLine;
  for (const value of [kek, PEPPER, password, user.access, user.refresh])
    expect(spellings(value).filter((text) => output.includes(text))).toEqual([]);
  expect(output).not.toMatch(/process wrong|eyJ[A-Za-z0-9_-]{20}|\$argon2/);
  expect(server.stderr()).toBe('');
  expect(
    Object.keys(fingerprint(server.directory)).filter(
      (name) => !/^data(?:\/(?:mail|postern\.db(?:-wal|-shm)?))?$/.test(name),
    ),
  ).toEqual([]);
  const lines = server
    .stdout()
    .split('\n')
    .filter((line) => line !== '');
  expect(lines.length).toBeGreaterThan(5);
  for (const line of lines) {
    const parsed = JSON.parse(line);
    expect(parsed).toMatchObject({
      level: expect.any(String),
      event: expect.stringMatching(/^[a-z_]+\.[a-z_]+$/),
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
  }
});

/** What would be a line, a colour, or the end of a value, if it were let. */
const FORGERIES = [
  '\u001b[2J\u001b[31mroot\u001b[0m',
  'a\r\n{"level":"info","event":"sign_in.succeeded"}',
  'a\n2026-01-01 forged',
  'a\u2028{"event":"forged"}',
  'a\u2029b',
  'a\u0085b',
  '","event":"forged","x":"',
  '\\","event":"forged',
  "' --",
  '\u0000',
  '\u007f',
  '\u009b31m',
  '\ud800',
  '\u202egnp.exe',
  '%0d%0aforged',
  '${jndi:ldap://x}',
  'a\tb\vb\fb',
];

describe('text of strangers (H14)', () => {
  const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/;

  test('in JSON: a line stays one line, and the text is a value in it', async () => {
    const root = fileURLToPath(new URL('../../', import.meta.url));
    const directory = `${root}node_modules/.cache/postern-test-log`;
    mkdirSync(directory, { recursive: true });
    const outfile = `${directory}/log-${process.pid}.mjs`;
    const contents = `
      import { createLogger } from './src/cli/logger.ts';
      const log = createLogger({ level: 'info', pretty: false, stdout: process.stdout });
      for (const text of ${JSON.stringify(FORGERIES).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}) {
        log.write('info', 'test.forged', text, { request_id: text, 'user_agent.original': text, 'exception.message': text, kid: text, listen: [text] });
        log.request('info', { requestId: 'a', method: 'GET', route: '/me', status: 200, ip: '::1', userAgent: text, durationMs: 1 });
        log.request('error', { requestId: 'a', method: 'GET', route: '/me', status: 500, ip: null, userAgent: text, durationMs: 1, problem: 'internal_error', error: new Error(text) });
      }
      log.flush();`;
    await build({
      stdin: { contents, resolveDir: root, loader: 'ts' },
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      logLevel: 'error',
    });
    const { stdout, stderr, status } = spawnSync(process.execPath, [outfile], { encoding: 'utf8' });
    rmSync(outfile);
    expect([status, stderr]).toEqual([0, '']);
    const lines = stdout.split('\n').slice(0, -1);
    expect(lines.length).toBe(FORGERIES.length * 3);
    for (const [at, line] of lines.entries()) {
      const text = FORGERIES[Math.floor(at / 3)]?.toWellFormed();
      const parsed = JSON.parse(line);
      expect(Object.keys(parsed).sort()).toEqual([...new Set(Object.keys(parsed))].sort());
      expect(parsed.event).toBe(at % 3 === 0 ? 'test.forged' : 'http.request');
      expect(String(parsed['user_agent.original']).toWellFormed()).toBe(text);
      // Readers that split at U+2028, U+0085 or a bare CR, and terminals that obey C1, must find
      // nothing either.
      expect([at % 3, text, line.match(UNPRINTABLE)]).toEqual([at % 3, text, null]);
    }
  });

  test('for people: one line, no colour but our own, and every odd character escaped', () => {
    const chunks: string[] = [];
    const stdout = new Writable({
      write: (chunk, _encoding, done) => {
        chunks.push(String(chunk));
        done();
      },
    });
    const log = createLogger({ level: 'info', pretty: true, stdout });
    for (const text of FORGERIES) {
      chunks.length = 0;
      log.write('warn', 'test.forged', text, { request_id: text, reason: text });
      log.write('info', 'test.forged', text, { request_id: 'a', 'user.name': text });
      log.request('info', {
        requestId: 'a',
        method: 'GET',
        route: '/me',
        status: 200,
        ip: '::1',
        userAgent: text,
        userName: text,
        durationMs: 1,
      });
      log.flush();
      const output = chunks.join('');
      expect([text, output.split('\n').length]).toEqual([text, 3]);
      // eslint-disable-next-line no-control-regex
      const plain = output.replace(/\u001b\[\d+m(?=info|warn|error| |\b)/g, '');
      expect([text, plain.match(UNPRINTABLE)]).toEqual([text, null]);
      expect(plain).not.toContain('\u001b');
    }
  });

  test('over HTTP: as user agent, request id, name, address and path they forge nothing', async () => {
    const app = await createTestApp({ config: '[server]\ntrusted_proxies = ["127.0.0.1"]\n' });
    const before = app.log.length;
    for (const text of FORGERIES) {
      const latin = text.replace(/[\r\n\u0000]/g, ' ').replace(/[^\x00-\xff]/g, '?');
      await sendRaw(
        app.url,
        request(`GET /${encodeURIComponent(text.toWellFormed())}`, [
          `User-Agent: ${latin}`,
          `X-Request-Id: ${latin}`,
          `X-Forwarded-For: ${latin}`,
          `Referer: ${latin}`,
          'Connection: close',
        ]),
      );
      const utf8 = Buffer.concat([
        Buffer.from('GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: '),
        Buffer.from(text.replace(/[\r\n\u0000]/g, ' ').toWellFormed()),
        Buffer.from('\r\n\r\n'),
      ]);
      await sendRaw(app.url, utf8);
      await app.call('POST', '/login', {
        body: { username: text.toWellFormed(), password: text.toWellFormed() },
      });
      await app.call('POST', '/register', {
        body: { username: text.toWellFormed(), password: 'correct horse battery staple' },
      });
      await app.call('POST', '/register', { body: { [text.toWellFormed()]: 1 } });
    }
    const lines = app.log.slice(before);
    expect(lines.length).toBeGreaterThan(FORGERIES.length * 3);
    for (const line of lines) {
      for (const value of Object.values(line)) {
        expect(String(value).match(UNPRINTABLE)).toBeNull();
        expect(String(value)).not.toMatch(/\n/);
      }
      expect(line.request_id).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
      expect(line['client.address'] ?? '127.0.0.1').toBe('127.0.0.1');
      expect(line.event).not.toContain('forged');
    }
    await app.stop();
  });

  test('ASVS 16.5.2: a log that can’t be written stops nothing', () => {
    const stdout = new Writable({ write: (_chunk, _encoding, done) => done(new Error('gone')) });
    stdout.on('error', () => undefined);
    const log = createLogger({ level: 'info', pretty: true, stdout });
    expect(() => {
      for (let i = 0; i < 10; i++) log.write('info', 'test.lost', 'x');
      log.flush();
    }).not.toThrow();
  });
});

test('the attempt counter of an unknown name does not reveal the name in the database', async () => {
  const app = await createTestApp();
  await app.login('a-name-that-nobody-has', 'wrong horse battery');
  const keys = await app.db.read({
    sql: "SELECT subject FROM attempt WHERE purpose <> 'readiness'",
    params: [],
    map: (rows) => rows.map((row) => String(row[0])),
    returns: true,
  });
  expect(keys.length).toBe(1);
  expect(keys[0]).not.toContain('a-name-that-nobody-has');
  expect(keys[0]).not.toContain(
    createHmac('sha256', '').update('a-name-that-nobody-has').digest('base64url'),
  );
  await app.stop();
});
