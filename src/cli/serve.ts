/** `postern serve`: opens or creates its state, listens, and shuts down in order. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { createApp } from '../app/app.ts';
import type { RunningApp } from '../app/app.ts';
import { httpDeps, listenLimits } from '../app/http.ts';
import type { Config } from '../config/schema.ts';
import { createStorage } from '../core/storage/storage.ts';
import { systemRandom } from '../crypto/secret.ts';
import type { OpenDatabase } from '../db/open.ts';
import { features } from '../features/index.ts';
import { readFilter } from '../core/password/fuse-filter.ts';
import { ListenRefused, listen } from '../http/listen.ts';
import type { Listeners } from '../http/listen.ts';
import { withOpenapi } from '../http/openapi.ts';
import { createServer } from '../http/server.ts';
import { exceptionFields } from '../lib/log.ts';
import { asset } from './asset.ts';
import { CliRefusal, EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { keyEncryptionKey } from './key-file.ts';
import { loadConfig } from './load-config.ts';
import { createLogger } from './logger.ts';
import type { RunningLog } from './logger.ts';
import { describeMail, mailFolder, mailTransports, ownTemplates } from './mail-ways.ts';
import { openState, refusing } from './state.ts';
import { LISTEN_OPTION, LOG_LEVEL_OPTION } from './verb.ts';
import type { Verb } from './verb.ts';
import { VERSION } from './version.ts';

export const serve: Verb = {
  name: 'serve',
  summary: 'Runs the service (what `postern` alone does).',
  examples: [
    'postern serve',
    'postern serve --listen tcp://127.0.0.1:7400 --listen unix:/run/postern/postern.sock',
  ],
  options: [LISTEN_OPTION, LOG_LEVEL_OPTION],
  run: async (call) => {
    const started = performance.now();
    // First of all: as a container's first process it receives only signals that it handles.
    const told = stopSignal();
    const { config, path } = loadConfig(call);
    const pretty =
      config.log.format === 'pretty' ||
      (config.log.format === 'auto' && call.context.stdout.isTTY === true);
    const log = createLogger({ level: config.log.level, pretty, stdout: call.context.stdout });
    const mail = {
      transports: mailTransports(config, call.context.clock),
      findTemplate: ownTemplates(config.mail.templates_dir),
    };
    const keyBytes = await refusing(async () =>
      keyEncryptionKey(config, 'create', (line) => call.output.warn(line)),
    );
    const { clock } = call.context;
    const storage = createStorage({ clock, log });
    const db = await openState(config, call, {
      flush: config.database.flush,
      onStorage: (change) => storage.note(change),
    });
    let running: RunningApp | undefined;
    try {
      const isNew = db.isNew;
      await refusing(() => db.migrate());
      running = await refusing(() =>
        createApp(
          config,
          {
            db,
            storage,
            clock,
            random: systemRandom,
            log,
            keyEncryptionKey: keyBytes,
            commonPasswordBytes: asset('common-passwords.bin'),
            mail,
            ...breachedFilter(config),
          },
          features,
        ),
      );
      const listeners = await open(config, running, log);
      const start: Start = {
        config,
        configPath: path,
        database: db.location,
        isNew,
        addresses: listeners.addresses,
        kid: running.kernel.signingKeys.published()[0]?.jwk.kid,
        ms: Math.round(performance.now() - started),
      };
      if (pretty) call.output.answer(startLines(start, call.context.cwd));
      else logStart(log, start);
      notifySystemd('READY=1');
      await told;
      notifySystemd('STOPPING=1');
      log.write('info', 'server.stopping', 'no new connections; running requests are finished');
      // A tenth of the time is reserved for the database.
      await listeners.close(config.server.shutdown_timeout * 0.9);
      return await finish(running, db, log);
    } catch (error) {
      await running?.close();
      await db.close();
      log.flush();
      if (error instanceof ListenRefused)
        throw new CliRefusal(EXIT.failed, error.message, { cause: error });
      throw error;
    }
  },
};

/** @throws {CliRefusal} the file doesn't exist, or is not a filter */
function breachedFilter({ password }: Config): { breachedBytes?: Buffer } {
  if (password.breached_file === undefined) return {};
  try {
    const breachedBytes = readFileSync(password.breached_file);
    readFilter(breachedBytes);
    return { breachedBytes };
  } catch (cause) {
    throw new CliRefusal(
      EXIT.config,
      `password.breached_file: ${password.breached_file} is not a readable filter. Make one with: postern breached build LIST --out ${password.breached_file}`,
      { cause },
    );
  }
}

async function finish(running: RunningApp, db: OpenDatabase, log: RunningLog): Promise<ExitCode> {
  await running.close();
  await db.close();
  log.write('info', 'server.stopped', 'stopped');
  log.flush();
  return EXIT.done;
}

async function open(config: Config, running: RunningApp, log: RunningLog): Promise<Listeners> {
  const { server } = config;
  const routes = withOpenapi(running.routes, {
    title: server.name,
    version: VERSION,
    issuer: server.public_url,
  });
  lastResort(log);
  return listen(createServer(httpDeps(running), routes), server.listen, listenLimits(config), {
    inheritedSockets: inheritedSockets(),
    umask: (mask) => process.umask(mask),
  });
}

/**
 * An uncaught error becomes a line in the log instead of a silent end, and no answer reveals it
 * (ASVS 16.5.4).
 */
function lastResort(log: RunningLog): void {
  process.on('unhandledRejection', (reason) =>
    log.write(
      'error',
      'process.unhandled',
      'a promise rejection was not handled',
      exceptionFields(reason),
    ),
  );
  process.on('uncaughtException', (error) => {
    log.write(
      'error',
      'process.uncaught',
      'an exception was not caught; the process ends and must be started again',
      exceptionFields(error),
    );
    log.flush();
    process.exit(EXIT.failed);
  });
}

/**
 * Takes the sockets that systemd passed; the variables are removed, so that no child process takes
 * them.
 */
function inheritedSockets(): number {
  const { LISTEN_PID, LISTEN_FDS } = process.env;
  delete process.env['LISTEN_PID'];
  delete process.env['LISTEN_FDS'];
  delete process.env['LISTEN_FDNAMES'];
  const count = Number(LISTEN_FDS ?? 0);
  return Number(LISTEN_PID) === process.pid && Number.isInteger(count) && count > 0 && count <= 64
    ? count
    : 0;
}

/**
 * Node can't send datagrams over Unix sockets; systemd's own tool can. The unit needs
 * NotifyAccess=all.
 */
function notifySystemd(state: string): void {
  if (process.env['NOTIFY_SOCKET'] === undefined) return;
  execFile('systemd-notify', [`--pid=${process.pid}`, state], () => undefined);
}

/** Resolves at the first SIGTERM or SIGINT; a second SIGINT ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let told = false;
    const tell = (signal: NodeJS.Signals): void => {
      if (told && signal === 'SIGINT') process.exit(130);
      told = true;
      resolve();
    };
    process.on('SIGTERM', tell);
    process.on('SIGINT', tell);
  });
}

/** What the first lines say about a service that is ready. */
interface Start {
  readonly config: Config;
  readonly configPath: string | undefined;
  readonly database: string;
  readonly isNew: boolean;
  readonly addresses: readonly string[];
  /** Of the key that signs; none is published under HS256. */
  readonly kid: string | undefined;
  readonly ms: number;
}

function logStart(log: RunningLog, start: Start): void {
  const { config, configPath, database, addresses, kid, ms } = start;
  log.write('info', 'server.started', `postern ${VERSION} is ready`, {
    version: VERSION,
    listen: addresses,
    public_url: config.server.public_url,
    database,
    config: configPath ?? 'defaults',
    algorithm: config.tokens.algorithm,
    ...(kid === undefined ? {} : { kid }),
    duration_ms: ms,
  });
  log.flush();
}

/** The same for people; paths are shown relative to `cwd`. */
function startLines(start: Start, cwd: string): string {
  const { config, configPath, database, isNew, addresses, kid, ms } = start;
  const shown = (path: string): string => (path.startsWith('/') ? relativePath(cwd, path) : path);
  const jwks = `${config.server.public_url}/.well-known/jwks.json`;
  const shortKid = kid === undefined ? '' : `, kid ${kid.slice(0, 4)}…`;
  return [
    `postern ${VERSION} is ready (${ms} ms)`,
    ...addresses.map((address, index) =>
      index === 0
        ? `  API       ${address.padEnd(30)} GET /openapi.json`
        : `            ${address.padEnd(30)}`,
    ),
    `  keys      ${jwks}   ${config.tokens.algorithm}${shortKid}`,
    `  database  ${shown(database).padEnd(30)} ${isNew ? 'new' : 'there'}`,
    config.mail.transports.length === 0
      ? `  mail      ${`${shown(mailFolder(config))}/*.eml`.padEnd(30)} nothing is sent: [mail] transports is empty`
      : `  mail      ${describeMail(config)}`,
    configPath === undefined
      ? '  config    defaults                       config.example.toml has every setting'
      : `  config    ${configPath}`,
  ].join('\n');
}

function relativePath(from: string, to: string): string {
  const path = relative(from, to);
  return path.startsWith('..') ? to : `./${path}`;
}
