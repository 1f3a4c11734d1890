/** The sources of the gauges, read when the metrics are requested. */
import type { Config } from '../config/schema.ts';
import { outboxDepth } from '../core/email/outbox-depth.ts';
import type { Kernel } from '../core/kernel.ts';
import { countSessions } from '../core/session/count.ts';
import type { MetricSources } from './prometheus.ts';

/** Counting scans an index of all sessions. */
const COUNT_EVERY_MS = 60_000;

export function metricSources(
  { db, clock, passwordHasher, signingKeys }: Kernel,
  { tokens }: Pick<Config, 'tokens'>,
  lastBackup: () => number | null,
): MetricSources {
  let counted: { readonly at: number; readonly sessions: number } | undefined;
  return {
    hashQueue: () => passwordHasher.stats(),
    outbox: () => outboxDepth(db, clock.now()),
    activeSessions: async () => {
      const now = clock.monotonic();
      if (counted === undefined || now - counted.at >= COUNT_EVERY_MS)
        counted = { at: now, sessions: await countSessions(db) };
      return counted.sessions;
    },
    signingKeyExpiry: () => {
      const active = signingKeys
        .list()
        .find(({ purpose, state }) => purpose === 'access' && state === 'active');
      return active === undefined ? null : active.activatesAt + tokens.key_rotation;
    },
    lastBackup,
  };
}
