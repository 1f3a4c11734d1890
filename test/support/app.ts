/**
 * A whole service in this process: its own database, a clock that stands until a test moves it,
 * seeded randomness, cheap argon2 behind a gate, a captured log, and a real HTTP server on a port of
 * its own. Requests go over TCP like anybody's.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../src/app/app.ts';
import type { RunningApp } from '../../src/app/app.ts';
import { featureRules } from '../../src/app/feature-rules.ts';
import { httpDeps, listenLimits, servedRoutes } from '../../src/app/http.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { operatorContext } from '../../src/core/context.ts';
import type { Context } from '../../src/core/context.ts';
import { housekeep } from '../../src/core/housekeeping.ts';
import { openDatabase } from '../../src/db/open.ts';
import type { OpenDatabase } from '../../src/db/open.ts';
import type { OutgoingSms, Transport } from '../../src/delivery/transport.ts';
import type { Feature } from '../../src/features/feature.ts';
import { features as allFeatures } from '../../src/features/index.ts';
import { listen } from '../../src/http/listen.ts';
import type { Listeners } from '../../src/http/listen.ts';
import { createStorage } from '../../src/core/storage/storage.ts';
import type { AnyRoute } from '../../src/http/route.ts';
import { createServer } from '../../src/http/server.ts';
import type { HttpServer, ServerOptions } from '../../src/http/server.ts';
import type { ClaimedEmail } from '../../src/core/email/claim.ts';
import type { Channel } from '../../src/core/email/lanes.ts';
import { settleEmail } from '../../src/core/email/outbox.ts';
import { claimAll } from './claim-all.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { requestFields } from '../../src/lib/log.ts';
import type { Log, LogFields, LogLevel } from '../../src/lib/log.ts';
import type { Metrics } from '../../src/lib/metrics.ts';
import { LIMITS_OFF } from './limits.mjs';
import { startLibsqlServer } from '../db/libsql-server.ts';
import { createGate } from './gate.ts';
import { recordProblems } from './problem-coverage.ts';
import { recordStatements } from './query-plans.ts';
import { testRandom } from './random.ts';

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
  /** What listens; to be mounted as well. */
  readonly server: HttpServer;
  readonly directory: string;
  /** Sends JSON and reads JSON. */
  call(method: string, path: string, options?: CallOptions): Promise<Reply>;
  /** Registers a user with this name and signs it in. */
  register(username?: string, password?: string): Promise<SignedIn>;
  login(username: string, password?: string, extra?: object): Promise<Reply>;
  /** Takes what the outbox has for an address, as a courier would, and counts it as sent. */
  emails(address: string): Promise<ClaimedEmail[]>;
  /** The same for the text messages to a number. */
  texts(number: string): Promise<ClaimedEmail[]>;
  /** Runs something while the hash lanes stand still and the queue before them has no room. */
  whileHashQueueIsFull<T>(run: () => Promise<T>): Promise<T>;
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
  // biome-ignore lint/suspicious/noExplicitAny: asserted on member by member
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

/** An operator at the command line, whose acts are in no log of a test. */
export const operator: Context = operatorContext(
  { write: () => undefined, request: () => undefined, enabled: () => false },
  'tester',
);

/** Removes what is over, as the schedule does. */
export async function tidy({ db, clock, sweeps }: TestApp): Promise<void> {
  await housekeep({ db, clock }, sweeps, new AbortController().signal);
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
  /** Emails go out by these, by a courier of the app's own; default: they stay in the outbox. */
  readonly transports?: readonly Transport[];
  /** The same for text messages. */
  readonly smsTransports?: readonly Transport<OutgoingSms>[];
  readonly server?: ServerOptions;
  readonly metrics?: Metrics;
}

/** When a test clock stands before anybody moves it. */
const NOON = Date.parse('2031-05-20T12:00:00.000Z');

/** A wall clock that stands still. Waits inside the process go by the real monotonic one. */
export function testClock(): TestClock {
  let now = NOON;
  return {
    now: () => now,
    monotonic: () => performance.now(),
    advance: (milliseconds) => {
      now += milliseconds;
    },
  };
}

/** The suite runs a second time over @libsql/client with this set. */
const driver = process.env['POSTERN_TEST_DRIVER'] === 'client' ? 'client' : 'auto';
const isOnServer = process.env['POSTERN_TEST_DRIVER'] === 'sqld';

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
      // All tests come from one address; those of the limits switch them on.
      ...(options.config?.includes('[limits]') === true ? {} : LIMITS_OFF),
      ...options.env,
    },
    readSecretFile: () => ({ text: '', isReadableByOthers: false }),
    rules: featureRules(options.features ?? allFeatures),
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
  const storage = createStorage({ clock, log });
  const libsqlServer = isOnServer ? await startLibsqlServer(join(directory, 'server')) : undefined;
  const db = await openDatabase({
    onStorage: (change) => storage.note(change),
    url: libsqlServer?.url ?? `file:${join(directory, 'postern.db')}`,
    busyTimeoutMs: 5_000,
    driver,
    clock,
    flush: config.database.flush,
    ...(options.metrics === undefined ? {} : { onCommit: options.metrics.commit }),
  });
  await db.migrate();
  const noteStatements = recordStatements(db);
  const gate = createGate(directory, cheap.password.threads || availableParallelism());
  const running = await createApp(
    cheap,
    {
      db,
      storage,
      clock,
      random: testRandom(),
      laneUrl: gate.laneUrl,
      log,
      keyEncryptionKey: options.keyEncryptionKey ?? TEST_KEY,
      ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
      commonPasswordBytes,
      ...(options.transports === undefined
        ? {}
        : { mail: { transports: options.transports, findTemplate: () => null } }),
      ...(options.smsTransports === undefined
        ? {}
        : { sms: { transports: options.smsTransports } }),
      ...(options.breachedBytes === undefined ? {} : { breachedBytes: options.breachedBytes }),
    },
    options.features ?? allFeatures,
  );
  const { routes } = servedRoutes(running, { version: '0.0.0', administration: 'beside' });
  const server = createServer(httpDeps(running), routes, {
    strictProblems: true,
    ...options.server,
  });
  const listeners: Listeners = await listen(server, config.server.listen, listenLimits(config), {
    inheritedSockets: 0,
    umask: (mask) => process.umask(mask),
  });
  const url = listeners.addresses[0] ?? '';

  const claimed: ClaimedEmail[] = [];
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

  let claiming: Promise<unknown> = Promise.resolve();
  const received = (channel: Channel, to: string): Promise<ClaimedEmail[]> => {
    const take = async (): Promise<ClaimedEmail[]> => {
      const due = await claimAll({ db, clock, kernel: running.kernel }, 60_000, channel);
      for (const { id, kind } of due) {
        const outcome = kind === 'real' ? 'sent' : 'dropped';
        await settleEmail(db, id, { outcome }, clock.now());
      }
      claimed.push(...due.filter(({ kind }) => kind === 'real'));
      const mine = claimed.filter(({ recipient }) => recipient === to);
      const others = claimed.filter(({ recipient }) => recipient !== to);
      claimed.splice(0, claimed.length, ...others);
      return mine;
    };
    // One after the other: what one has claimed and not settled yet, another would not find.
    const turn = claiming.then(take, take);
    claiming = turn;
    return turn;
  };

  return {
    ...running,
    url,
    clock,
    db,
    log: lines,
    routes,
    server,
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
    emails: (address) => received('email', address),
    texts: (number) => received('sms', number),
    whileHashQueueIsFull: async (run) => {
      // A lane that is started later would not be held.
      await running.kernel.passwordHasher.ready();
      await gate.hold();
      const taken: Promise<unknown>[] = [];
      // Each from a place of its own: nobody has more than the one who comes next would have.
      const { rejected } = running.kernel.passwordHasher.stats();
      for (let n = 0; running.kernel.passwordHasher.stats().rejected === rejected; n++) {
        const place = `taken-${n}`;
        const one = running.kernel.passwordHasher.verify(null, 'x', {
          account: place,
          client: place,
        });
        taken.push(one.catch(() => undefined));
        await Promise.resolve();
      }
      try {
        return await run();
      } finally {
        await gate.release();
        await Promise.all(taken);
      }
    },
    stop: async () => {
      recordProblems(routes, lines);
      noteStatements();
      await listeners.close(1_000);
      await running.close();
      gate.close();
      await db.close();
      await libsqlServer?.close();
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}
