/**
 * The whole service without its listeners, for verbs that need its capabilities: hashing, sealing,
 * queuing emails.
 */
import { createApp } from '../app/app.ts';
import type { RunningApp } from '../app/app.ts';
import type { Config } from '../config/schema.ts';
import type { Kernel } from '../core/kernel.ts';
import { createSystemRandom } from '../crypto/secret.ts';
import { features } from '../features/index.ts';
import type { Log } from '../lib/log.ts';
import { asset, laneAsset } from './asset.ts';
import { keyEncryptionKey } from './key-file.ts';
import { mapDatabaseErrors, withDatabase } from './state.ts';
import type { VerbCall } from './verb.ts';

/** The result of a verb is in its answer, not in a log. */
export const SILENT: Log = {
  write: () => undefined,
  request: () => undefined,
  enabled: () => false,
};

/**
 * Builds the app on the configured database, does the work, closes it. Emails are queued; the
 * running service sends them.
 */
export function withApp<T>(call: VerbCall, work: Work<T>): Promise<T> {
  return withLanes(call, work, () => 1);
}

/** The same for work that hashes a lot: as many lanes as the service has. */
export function withAllLanes<T>(call: VerbCall, work: Work<T>): Promise<T> {
  return withLanes(call, work, (config) => config.password.threads);
}

type Work<T> = (kernel: Kernel, app: RunningApp) => Promise<T>;

function withLanes<T>(
  call: VerbCall,
  work: Work<T>,
  lanesOf: (config: Config) => number,
): Promise<T> {
  return withDatabase(call, async (db, config) => {
    const keyBytes = keyEncryptionKey(config, 'refuse', (line) => call.output.warn(line));
    const one = { ...config, password: { ...config.password, threads: lanesOf(config) } };
    const running = await mapDatabaseErrors(() =>
      createApp(
        one,
        {
          db,
          clock: call.context.clock,
          random: createSystemRandom(),
          log: SILENT,
          keyEncryptionKey: keyBytes,
          commonPasswordBytes: asset('common-passwords.bin'),
          ...laneAsset(),
        },
        features,
      ),
    );
    try {
      return await work(running.kernel, running);
    } finally {
      await running.close();
    }
  });
}
