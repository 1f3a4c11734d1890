/** Builds the password hasher from the configuration, and logs refused hashes. */
import type { Config } from '../config/schema.ts';
import { createPasswordHasher } from '../crypto/password-hash.ts';
import type { StoredRefusal } from '../crypto/password-hash.ts';
import type { PasswordHasher } from '../crypto/password-hasher.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/id.ts';
import type { Log } from '../lib/log.ts';
import { NO_METRICS } from '../lib/metrics.ts';
import type { Metrics } from '../lib/metrics.ts';

export interface HasherEdge {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where to report measurements; optional. */
  readonly metrics?: Metrics;
  /** The path of the hash lanes' program, if it is not beside this one. */
  readonly laneUrl?: URL;
}

/** At most one line per reason in this time: a lost pepper refuses every sign-in. */
const REPORT_INTERVAL_MS = 60_000;

/** The log messages for stored hashes that can't be compared. */
const UNUSABLE: Readonly<Record<StoredRefusal, string>> = {
  unknown_pepper:
    'stored password hashes were made with a pepper that is not configured: set password.pepper, or add it to password.previous_peppers',
  cost: 'a stored password hash needs more memory or passes than is allowed: it is refused like a wrong password',
  malformed: 'a stored password hash can not be parsed: it is refused like a wrong password',
};

function reportUnusable(log: Log, clock: Clock): (reason: StoredRefusal) => void {
  const reported = new Map<StoredRefusal, number>();
  return (reason) => {
    const now = clock.monotonic();
    if (now - (reported.get(reason) ?? Number.NEGATIVE_INFINITY) < REPORT_INTERVAL_MS) return;
    reported.set(reason, now);
    log.write('error', 'password.unusable_hash', UNUSABLE[reason], { reason });
  };
}

export function createHasher({ password }: Config, edge: HasherEdge): PasswordHasher {
  const { clock, random, log, metrics, laneUrl } = edge;
  return createPasswordHasher({
    threads: password.threads,
    memoryKiB: Math.floor(password.memory / 1024),
    passes: password.passes,
    lanes: password.lanes,
    queueLength: password.queue_length,
    deadlineMs: password.deadline,
    ...(password.pepper === undefined ? {} : { pepper: password.pepper }),
    previousPeppers: password.previous_peppers,
    clock,
    random,
    ...(laneUrl === undefined ? {} : { laneUrl }),
    onRefused: reportUnusable(log, clock),
    onDone: (metrics ?? NO_METRICS).passwordHash,
  });
}
