/**
 * The whole of the service without its listeners, for a verb that does what only it can: hash,
 * seal, write letters.
 */
import { createApp } from '../app/app.ts';
import type { App } from '../app/capabilities.ts';
import { systemRandom } from '../crypto/secret.ts';
import { asset } from './asset.ts';
import { keyEncryptionKey } from './key-file.ts';
import { refusing, withDatabase } from './state.ts';
import type { VerbCall } from './verb.ts';

/**
 * Builds the app on the configured database, does the work, closes it. Letters are written; the
 * service that runs beside sends them.
 */
export function withApp<T>(call: VerbCall, work: (app: App) => Promise<T>): Promise<T> {
  return withDatabase(call, async (db, config) => {
    const keyBytes = keyEncryptionKey(config, false, (line) => call.output.warn(line));
    const one = { ...config, password: { ...config.password, threads: 1 } };
    const silent = { write: () => undefined, request: () => undefined, enabled: () => false };
    const running = await refusing(() =>
      createApp(
        one,
        {
          db,
          clock: call.context.clock,
          random: systemRandom,
          log: silent,
          keyEncryptionKey: keyBytes,
          commonPasswordBytes: asset('common-passwords.bin'),
        },
        [],
      ),
    );
    try {
      return await work(running.app);
    } finally {
      await running.close();
    }
  });
}
