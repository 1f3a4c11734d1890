/** Builds the service from a configuration, on a database and a log that outlive it. */
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createApp } from '../app/app.ts';
import type { RunningApp } from '../app/app.ts';
import { httpDeps, servedRoutes } from '../app/http.ts';
import { metricSources } from '../app/metric-sources.ts';
import type { Prometheus } from '../app/prometheus.ts';
import type { Config } from '../config/schema.ts';
import { readFilter } from '../core/password/fuse-filter.ts';
import type { Storage } from '../core/storage/storage.ts';
import { createSystemRandom } from '../crypto/secret.ts';
import type { OpenDatabase } from '../db/open.ts';
import { features } from '../features/index.ts';
import type { ListeningServer } from '../http/metrics-server.ts';
import { createServer } from '../http/server.ts';
import type { HttpServer } from '../http/server.ts';
import { asset, laneAsset } from './asset.ts';
import { CliRefusal, EXIT } from './exit.ts';
import { keyEncryptionKey } from './key-file.ts';
import type { RunningLog } from './logger.ts';
import { mailTransports, ownTemplates } from './mail-ways.ts';
import { smsTransports } from './sms-ways.ts';
import { watchBackups } from './serve-metrics.ts';
import { mapDatabaseErrors } from './state.ts';
import type { VerbCall } from './verb.ts';
import { VERSION } from './version.ts';

/** What is kept when the configuration is reloaded. */
export interface Lasting {
  readonly call: VerbCall;
  readonly db: OpenDatabase;
  readonly storage: Storage;
  readonly log: RunningLog;
  readonly prometheus: Prometheus | undefined;
  /** Whether /admin has listeners of its own: as at the start, when they were opened. */
  readonly administration: 'apart' | 'beside';
}

export interface Service {
  readonly running: RunningApp;
  readonly http: HttpServer;
  /** What listeners of administration's own answer: nothing but 404 where there are none. */
  readonly admin: HttpServer;
}

/** @throws {CliRefusal} a file or key that the configuration names does not exist, or is invalid */
export async function assemble(
  { call, db, storage, log, prometheus, administration }: Lasting,
  config: Config,
): Promise<Service> {
  const { clock } = call.context;
  const mail = {
    transports: mailTransports(config, clock),
    findTemplate: ownTemplates(config.mail.templates_dir),
  };
  const edge = {
    db,
    storage,
    clock,
    random: createSystemRandom(),
    log,
    keyEncryptionKey: keyEncryptionKey(config, 'refuse', (line) => call.output.warn(line)),
    commonPasswordBytes: asset('common-passwords.bin'),
    ...laneAsset(),
    mail,
    sms: { transports: smsTransports(config, clock) },
    ...(prometheus === undefined ? {} : { metrics: prometheus.metrics }),
    ...breachedFilter(config),
  };
  const running = await mapDatabaseErrors(() => createApp(config, edge, features));
  await running.begin();
  prometheus?.observe(metricSources(running.kernel, config, watchBackups(db)));
  const { routes, adminRoutes } = servedRoutes(running, { version: VERSION, administration });
  const onRequest = prometheus === undefined ? {} : { onRequest: prometheus.metrics.request };
  const deps = httpDeps(running);
  return {
    running,
    http: createServer(deps, routes, onRequest),
    admin: createServer(deps, adminRoutes, onRequest),
  };
}

/** A server behind permanent listeners: a reload replaces the one that answers. */
export interface SwappableServer extends ListeningServer {
  swap(next: HttpServer): void;
}

export function swappable(first: HttpServer): SwappableServer {
  let current = first;
  let listeners = { tcp: first.listener('tcp'), unix: first.listener('unix') };
  const tcp: RequestListener = (incoming, outgoing) => listeners.tcp(incoming, outgoing);
  const unix: RequestListener = (incoming, outgoing) => listeners.unix(incoming, outgoing);
  return {
    listener: (kind) => (kind === 'tcp' ? tcp : unix),
    unparsed: (fault, address) => current.unparsed(fault, address),
    acceptFailed: (error) => current.acceptFailed(error),
    swap: (next) => {
      current = next;
      listeners = { tcp: next.listener('tcp'), unix: next.listener('unix') };
    },
  };
}

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
