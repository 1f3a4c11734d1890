/** `postern serve`: opens or creates its state, listens, and shuts down in order. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createApp } from '../app/app.ts';
import type { RunningApp } from '../app/app.ts';
import { httpDeps } from '../app/http.ts';
import { metricSources } from '../app/metric-sources.ts';
import type { Prometheus } from '../app/prometheus.ts';
import type { Config } from '../config/schema.ts';
import { systemRandom } from '../crypto/secret.ts';
import type { OpenDatabase } from '../db/open.ts';
import { features } from '../features/index.ts';
import { readFilter } from '../core/password/fuse-filter.ts';
import { ListenRefused, listen } from '../http/listen.ts';
import type { Listeners } from '../http/listen.ts';
import { metricsServer } from '../http/metrics-server.ts';
import { withOpenapi } from '../http/openapi.ts';
import { createServer } from '../http/server.ts';
import { exceptionFields } from '../lib/log.ts';
import { announce } from './announce.ts';
import { asset, laneAsset } from './asset.ts';
import { CliRefusal, EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { keyEncryptionKey } from './key-file.ts';
import { loadConfig } from './load-config.ts';
import { createLogger } from './logger.ts';
import type { RunningLog } from './logger.ts';
import { mailTransports, ownTemplates } from './mail-ways.ts';
import { prometheusOf, watchBackups } from './serve-metrics.ts';
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
    const prometheus = await prometheusOf(config, call, log);
    const db = await openState(config, call, prometheus?.metrics.commit);
    let running: RunningApp | undefined;
    try {
      const isNew = db.isNew;
      await refusing(() => db.migrate());
      running = await refusing(() =>
        createApp(
          config,
          {
            db,
            clock: call.context.clock,
            random: systemRandom,
            log,
            keyEncryptionKey: keyBytes,
            commonPasswordBytes: asset('common-passwords.bin'),
            ...laneAsset(),
            mail,
            ...(prometheus === undefined ? {} : { metrics: prometheus.metrics }),
            ...breachedFilter(config),
          },
          features,
        ),
      );
      prometheus?.observe(metricSources(running.kernel, config, watchBackups(db)));
      const listeners = await open(running, log, prometheus);
      announce(call, {
        running,
        db,
        listeners,
        isNew,
        path,
        ms: Math.round(performance.now() - started),
        pretty,
        log,
      });
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

async function open(
  running: RunningApp,
  log: RunningLog,
  prometheus: Prometheus | undefined,
): Promise<Listeners> {
  const { server, metrics } = running.config;
  const routes = withOpenapi(running.routes, {
    title: server.name,
    version: VERSION,
    issuer: server.public_url,
  });
  lastResort(log);
  const limits = {
    headerTimeoutMs: server.header_timeout,
    requestTimeoutMs: server.request_timeout,
    keepAliveTimeoutMs: server.keep_alive_timeout,
    maxConnections: server.max_connections,
  };
  const edge = {
    inheritedSockets: inheritedSockets(),
    umask: (mask: number) => process.umask(mask),
  };
  const onRequest = prometheus === undefined ? {} : { onRequest: prometheus.metrics.request };
  const http = createServer(httpDeps(running), routes, onRequest);
  const listeners = await listen(http, server.listen, limits, edge);
  if (prometheus === undefined) return listeners;
  try {
    const own = await listen(metricsServer(http, prometheus), metrics.listen, limits, edge);
    return {
      addresses: listeners.addresses,
      metrics: own.addresses,
      // Last, so that the end can be watched.
      close: async (deadlineMs) => {
        await listeners.close(deadlineMs);
        await own.close(0);
      },
    };
  } catch (error) {
    await listeners.close(0);
    throw error;
  }
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
