/** The metrics of a running service, if they are configured. */
import { createPrometheus } from '../app/prometheus.ts';
import type { Prometheus } from '../app/prometheus.ts';
import type { Config } from '../config/schema.ts';
import type { OpenDatabase } from '../db/open.ts';
import { exceptionFields } from '../lib/log.ts';
import type { Log } from '../lib/log.ts';
import { lastBackup } from './backup-mark.ts';
import type { VerbCall } from './verb.ts';
import { VERSION } from './version.ts';

export async function prometheusOf(
  { metrics }: Config,
  { context }: VerbCall,
  log: Log,
): Promise<Prometheus | undefined> {
  if (metrics.listen.length === 0) return undefined;
  return createPrometheus({
    version: VERSION,
    nodeVersion: context.nodeVersion,
    onError: (error) =>
      log.write(
        'error',
        'metrics.failed',
        'some metrics could not be read and are unchanged',
        exceptionFields(error),
      ),
  });
}

/** When this database was last backed up; read each time. */
export function watchBackups({ location }: OpenDatabase): () => number | null {
  return () => lastBackup(location);
}
