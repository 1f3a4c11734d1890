/**
 * A whole service in this process: its own database, a clock that tests move, cheap argon2, a
 * captured log, and a real HTTP server on a port of its own. Requests go over TCP like anybody's.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../src/app/app.ts';
import type { RunningApp } from '../../src/app/app.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { systemRandom } from '../../src/crypto/secret.ts';
import { openDatabase } from '../../src/db/open.ts';
import type { OpenDatabase } from '../../src/db/open.ts';
import type { Feature } from '../../src/features/feature.ts';
import { features as allFeatures } from '../../src/features/index.ts';
import { listen } from '../../src/http/listen.ts';
import type { Listeners } from '../../src/http/listen.ts';
import { withOpenapi } from '../../src/http/openapi.ts';
import type { AnyRoute } from '../../src/http/route.ts';
import { createServer } from '../../src/http/server.ts';
import { claimLetters, settleLetter } from '../../src/core/email/outbox.ts';
import type { ClaimedLetter } from '../../src/core/email/outbox.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { requestFields } from '../../src/lib/log.ts';
import type { Log, LogFields, LogLevel } from '../../src/lib/log.ts';

export interface TestClock extends Clock {
  /** Moves the wall clock, milliseconds; negative sets it back. */
  advance(milliseconds: number): void;
}

export interface LogLine extends LogFields {
  readonly level: LogLevel;
  readonly event: string;
  readonly message: string;
}

export interface TestApp extends RunningApp {
  readonly url: string;
  readonly clock: TestClock;
  readonly db: OpenDatabase;
  readonly log: LogLine[];
  readonly routes: readonly AnyRoute[];
  readonly directory: string;
  /** Sends JSON and reads JSON. */
  call(method: string, path: string, options?: CallOptions): Promise<Reply>;
  /** Registers a user with this name and signs it in. */
  register(username?: string, password?: string): Promise<SignedIn>;
  login(username: string, password?: string, extra?: object): Promise<Reply>;
  /** Takes what the outbox has for an address, as a courier would, and counts it as sent. */
  letters(address: string): Promise<ClaimedLetter[]>;
  stop(): Promise<void>;
}

export interface CallOptions {
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Uint8Array;
  readonly token?: string;
  readonly headers?: Record<string, string>;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // What the service answers is what tests assert on, member by member.
  // eslint-disable-next-line
  readonly body: any;
}

export interface SignedIn {
  readonly userId: string;
  readonly username: string;
  readonly access: string;
  readonly refresh: string;
  readonly sessionId: string;
  readonly deviceToken: string;
}

export const PASSWORD = 'correct horse battery staple';

export interface TestAppOptions {
  /** Configuration as TOML text; cheap hashing and a public_url are set beneath it. */
  readonly config?: string;
  readonly env?: Record<string, string>;
  readonly features?: readonly Feature[];
  /** Another app's directory, for a second instance on the same file. */
  readonly directory?: string;
  readonly clock?: TestClock;
  readonly keyEncryptionKey?: Uint8Array;
  readonly breachedBytes?: Buffer;
}

export function testClock(): TestClock {
  let offset = 0;
  return {
    now: () => Date.now() + offset,
    monotonic: () => performance.now(),
    advance: (milliseconds) => void (offset += milliseconds),
  };
}

/** The suite runs a second time over @libsql/client with this set. */
const driver = process.env['POSTERN_TEST_DRIVER'] === 'client' ? 'client' : 'auto';

const commonPasswordBytes = readFileSync(
  new URL('../../src/core/password/common-passwords.bin', import.meta.url),
);
const TEST_KEY = Buffer.alloc(32, 7);

let users = 0;

export async function createTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'postern-test-'));
  const clock = options.clock ?? testClock();
  const { config } = parseConfig({
    ...(options.config === undefined
      ? {}
      : { file: { path: 'config.toml', text: options.config, isReadableByOthers: false } }),
    env: {
      POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0',
      POSTERN_SERVER_PUBLIC_URL: 'https://auth.example.com',
      POSTERN_MAIL_TRANSPORTS: 'file',
      ...options.env,
    },
    readSecretFile: () => ({ text: '', isReadableByOthers: false }),
  });
  const cheap =
    options.config?.includes('memory') === true
      ? config
      : { ...config, password: { ...config.password, memory: 8 * 1024, passes: 1, threads: 2 } };
  const lines: LogLine[] = [];
  const log: Log = {
    write: (level, event, message, fields) => void lines.push({ level, event, message, ...fields }),
    request: (level, line) =>
      void lines.push({ level, event: 'http.request', message: '', ...requestFields(line) }),
    enabled: () => true,
  };
  const db = await openDatabase({
    url: `file:${join(directory, 'postern.db')}`,
    busyTimeoutMs: 5_000,
    driver,
    clock,
  });
  await db.migrate();
  const running = await createApp(
    cheap,
    {
      db,
      clock,
      random: systemRandom,
      log,
      keyEncryptionKey: options.keyEncryptionKey ?? TEST_KEY,
      commonPasswordBytes,
      ...(options.breachedBytes === undefined ? {} : { breachedBytes: options.breachedBytes }),
    },
    options.features ?? allFeatures,
  );
  const routes = withOpenapi(
    running.contributions.flatMap((contribution) => contribution.routes),
    { title: 'postern', version: '0.0.0', issuer: config.server.public_url },
  );
  const server = createServer(running.app, routes, { strictProblems: true });
  const listeners: Listeners = await listen(
    server,
    config.server.listen,
    {
      headerTimeoutMs: config.server.header_timeout,
      requestTimeoutMs: config.server.request_timeout,
      keepAliveTimeoutMs: config.server.keep_alive_timeout,
      maxConnections: config.server.max_connections,
    },
    { inheritedSockets: 0, umask: (mask) => process.umask(mask) },
  );
  const url = listeners.addresses[0] ?? '';

  let claimed: ClaimedLetter[] = [];
  const call = async (
    method: string,
    path: string,
    { body, raw, token, headers }: CallOptions = {},
  ): Promise<Reply> => {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await fetch(url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(payload === undefined ? {} : { body: payload }),
    });
    const text = await response.text();
    const type = response.headers.get('content-type') ?? '';
    return {
      status: response.status,
      headers: response.headers,
      body: type.includes('json') ? JSON.parse(text) : text,
    };
  };

  return {
    ...running,
    url,
    clock,
    db,
    log: lines,
    routes,
    directory,
    call,
    register: async (username = `user${++users}`, password = PASSWORD) => {
      const { status, body } = await call('POST', '/register', { body: { username, password } });
      if (status !== 201) throw new Error(`register answered ${status}: ${JSON.stringify(body)}`);
      return {
        userId: body.user.id,
        username,
        access: body.access_token,
        refresh: body.refresh_token,
        sessionId: body.session_id,
        deviceToken: body.device_token,
      };
    },
    login: (username, password = PASSWORD, extra = {}) =>
      call('POST', '/login', { body: { username, password, ...extra } }),
    letters: async (address) => {
      const letters = await claimLetters(db, running.app, clock.now(), 60_000, 1_000);
      for (const { id } of letters) await settleLetter(db, id, { outcome: 'sent' }, clock.now());
      claimed.push(...letters);
      const mine = claimed.filter(({ recipient }) => recipient === address);
      claimed = claimed.filter(({ recipient }) => recipient !== address);
      return mine;
    },
    stop: async () => {
      await listeners.close(1_000);
      await running.close();
      await db.close();
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}
