/** `postern serve`: opens or creates its state, listens, and shuts down in order. */
import { listenLimits } from '../app/http.ts';
import type { Prometheus } from '../app/prometheus.ts';
import type { ListenAddress } from '../config/listen-address.ts';
import type { Config } from '../config/schema.ts';
import { createStorage } from '../core/storage/storage.ts';
import type { OpenDatabase } from '../db/open.ts';
import { ListenRefused, listen } from '../http/listen.ts';
import type { Listeners } from '../http/listen.ts';
import { metricsServer } from '../http/metrics-server.ts';
import type { ListeningServer } from '../http/metrics-server.ts';
import { announce } from './announce.ts';
import { checkpointAsset } from './asset.ts';
import { CliRefusal, EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { keyEncryptionKey } from './key-file.ts';
import { loadConfig } from './load-config.ts';
import { createLogger } from './logger.ts';
import type { RunningLog } from './logger.ts';
import {
  hangupSignal,
  inheritedSockets,
  lastResort,
  notifySystemd,
  stopSignal,
} from './process-edge.ts';
import { createReloader } from './reload.ts';
import { prometheusOf } from './serve-metrics.ts';
import { assemble, swappable } from './assemble.ts';
import type { Service } from './assemble.ts';
import { sourcePositions } from './source-positions.ts';
import { openState, mapDatabaseErrors } from './state.ts';
import { LISTEN_OPTION, LOG_FORMAT_OPTION, LOG_LEVEL_OPTION } from './verb.ts';
import type { Verb } from './verb.ts';

export const serve: Verb = {
  name: 'serve',
  summary: 'Runs the service (what `postern` alone does).',
  examples: [
    'postern serve',
    'postern serve --listen tcp://127.0.0.1:7400 --listen unix:/run/postern/postern.sock',
  ],
  options: [LISTEN_OPTION, LOG_LEVEL_OPTION, LOG_FORMAT_OPTION],
  run: async (call) => {
    const started = performance.now();
    // First of all: as a container's first process it receives only signals that it handles.
    const told = stopSignal();
    const onHangup = hangupSignal();
    const parsed = loadConfig(call);
    const { config, path } = parsed;
    const pretty =
      config.log.format === 'pretty' ||
      (config.log.format === 'auto' && call.context.stdout.isTTY === true);
    const log = createLogger({
      level: config.log.level,
      pretty,
      stdout: call.context.stdout,
      mapStack: sourcePositions(),
    });
    // Before the database: a database without its key would later look as if the key had been lost.
    await mapDatabaseErrors(async () => keyEncryptionKey(config, 'create', () => undefined));
    const prometheus = await prometheusOf(config, call, log);
    const storage = createStorage({ clock: call.context.clock, log });
    const db = await openState(config, call, {
      flush: config.database.flush,
      ...checkpointAsset(),
      onStorage: (change) => storage.note(change),
      ...(prometheus === undefined ? {} : { onCommit: prometheus.metrics.commit }),
    });
    const administration = config.admin.listen.length > 0 ? 'apart' : 'beside';
    const lasting = { call, db, storage, log, prometheus, administration } as const;
    let service: Service | undefined;
    try {
      const { isNew } = db;
      await mapDatabaseErrors(() => db.migrate());
      service = await assemble(lasting, config);
      const { running } = service;
      lastResort(log);
      const servers = { http: swappable(service.http), admin: swappable(service.admin) };
      const listeners = await open(config, servers, prometheus);
      const ms = Math.round(performance.now() - started);
      announce(call, { running, db, listeners, isNew, path, ms, pretty, log });
      notifySystemd('READY=1');
      const reloader = createReloader(lasting, { ...service, parsed }, servers);
      onHangup(reloader.reload);
      await told;
      notifySystemd('STOPPING=1');
      log.write('info', 'server.stopping', 'no new connections; running requests are finished');
      // A tenth of the time is reserved for the database.
      await listeners.close(config.server.shutdown_timeout * 0.9);
      await reloader.close();
      return await finish(db, log);
    } catch (error) {
      await service?.running.close();
      await db.close();
      log.flush();
      if (error instanceof ListenRefused)
        throw new CliRefusal(EXIT.failed, error.message, { cause: error });
      throw error;
    }
  },
};

async function finish(db: OpenDatabase, log: RunningLog): Promise<ExitCode> {
  await db.close();
  log.write('info', 'server.stopped', 'stopped');
  log.flush();
  return EXIT.done;
}

async function open(
  config: Config,
  servers: Readonly<Record<'http' | 'admin', ListeningServer>>,
  prometheus: Prometheus | undefined,
): Promise<Listeners> {
  const { server, admin, metrics } = config;
  const limits = listenLimits(config);
  const edge = {
    inheritedSockets: inheritedSockets(),
    umask: (mask: number) => process.umask(mask),
  };
  const opened: Listeners[] = [];
  let scraped: Listeners | undefined;
  const close = async (deadlineMs: number): Promise<void> => {
    await Promise.all(opened.map((listeners) => listeners.close(deadlineMs)));
    // Last, so that the end can be watched.
    await scraped?.close(0);
  };
  const begin = async (served: ListeningServer, addresses: readonly ListenAddress[]) => {
    const listeners = await listen(served, addresses, limits, edge);
    opened.push(listeners);
    return listeners.addresses;
  };
  try {
    const addresses = await begin(servers.http, server.listen);
    const ofAdmin =
      admin.listen.length === 0 ? {} : { admin: await begin(servers.admin, admin.listen) };
    if (prometheus === undefined) return { addresses, ...ofAdmin, close };
    const metricsOf = metricsServer(servers.http, prometheus);
    scraped = await listen(metricsOf, metrics.listen, limits, edge);
    return { addresses, ...ofAdmin, metrics: scraped.addresses, close };
  } catch (error) {
    await close(0);
    throw error;
  }
}
