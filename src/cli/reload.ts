/**
 * Reloads the configuration (SIGHUP): a new service is built beside the running one, on the same
 * database and listeners, and takes over when it is complete. An invalid configuration changes
 * nothing. Settings that need a restart are logged.
 */
import type { ParsedConfig } from '../config/parse.ts';
import { ConfigRefused } from '../config/fault.ts';
import type { RunningApp } from '../app/app.ts';
import { CliRefusal } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { assemble } from './assemble.ts';
import type { Lasting, Service, SwappableServer } from './assemble.ts';

/** Settings that the listeners, database and log were opened with. */
const AT_START =
  /^(?:server\.(?:listen|max_connections|header_timeout|request_timeout|keep_alive_timeout|shutdown_timeout)|database\.|metrics\.|admin\.listen|log\.format)/;

/** Requests from before the change have ended by then, or are aborted. */
const RETIRE_AFTER_MS = 30_000;

export interface Reloader {
  /** Never rejects. */
  reload(): Promise<void>;
  /** Closes the service, and those that it replaced. */
  close(): Promise<void>;
}

export interface Started extends Service {
  readonly parsed: ParsedConfig;
}

export function createReloader(
  lasting: Lasting,
  first: Started,
  servers: Readonly<Record<'http' | 'admin', SwappableServer>>,
): Reloader {
  const { call, log } = lasting;
  let current: Service = first;
  let { parsed } = first;
  const retired = new Map<RunningApp, NodeJS.Timeout>();

  const retire = (app: RunningApp): void => {
    const end = (): void => {
      retired.delete(app);
      void app.close();
    };
    retired.set(app, setTimeout(end, RETIRE_AFTER_MS).unref());
  };

  const replace = async (): Promise<void> => {
    const next = loadConfig(call);
    const changed = changedKeys(parsed, next);
    const service = await assemble(lasting, next.config);
    servers.http.swap(service.http);
    servers.admin.swap(service.admin);
    retire(current.running);
    current = service;
    parsed = next;
    log.setLevel(next.config.log.level);
    log.write('info', 'config.reloaded', 'the configuration was reloaded', {
      count: changed.length,
    });
    const late = changed.filter((key) => AT_START.test(key));
    if (late.length > 0)
      log.write(
        'warn',
        'config.restart_needed',
        `these settings have changed and take effect at the next start: ${late.join(', ')}`,
        { count: late.length },
      );
  };

  return {
    reload: async () => {
      try {
        await replace();
      } catch (error) {
        const isExpected = error instanceof ConfigRefused || error instanceof CliRefusal;
        const why = isExpected ? error.message.replaceAll('\n', '; ') : 'an unexpected error';
        log.write(
          'error',
          'config.refused',
          `the configuration was refused, and the service continues with the old one: ${why}`,
        );
      }
    },
    close: async () => {
      for (const timer of retired.values()) clearTimeout(timer);
      await Promise.all([current.running, ...retired.keys()].map((app) => app.close()));
    },
  };
}

/**
 * Keys whose value changed; for a secret, only whether it was set, unset or comes from another
 * source.
 */
function changedKeys(before: ParsedConfig, after: ParsedConfig): readonly string[] {
  const shown = ({ origins }: ParsedConfig, key: string): string => {
    const origin = origins.get(key);
    return JSON.stringify([origin?.value, origin?.isSet, origin?.secretFile]);
  };
  return [...after.origins.keys()].filter((key) => shown(before, key) !== shown(after, key));
}
