/** Background work: following the writes of other processes, and removing expired rows. */
import type { Sealer } from '../core/audit/seal.ts';
import { housekeep } from '../core/housekeeping.ts';
import type { Revocations } from '../core/session/revocation.ts';
import type { SigningKeys } from '../core/signing-key/signing-key.ts';
import type { ScheduledSweep } from '../core/sweep.ts';
import { UniqueViolation } from '../db/database.ts';
import type { Database } from '../db/database.ts';
import type { Clock } from '../lib/clock.ts';
import { exceptionFields } from '../lib/log.ts';
import type { Log } from '../lib/log.ts';

const HOUSEKEEPING_MS = 10 * 60_000;
/** How often to look whether the audit log is to be sealed. */
const SEAL_MS = 5_000;

export interface BackgroundDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly signingKeys: SigningKeys;
  readonly revocations: Revocations;
  readonly sweeps: readonly ScheduledSweep[];
  readonly sealAudit: Pick<Sealer, 'run'>;
  /** How often to check for writes of other processes, milliseconds. */
  readonly followMs: number;
}

/** Starts both; failures are logged and retried. The returned function stops them. */
export function startBackground(deps: BackgroundDeps): () => void {
  const { db, log, signingKeys, revocations } = deps;
  const stopping = new AbortController();
  let mark = db.changeMark();
  let isFollowing = false;

  const follow = async (): Promise<void> => {
    const now = db.changeMark();
    if (isFollowing || now === mark) return;
    isFollowing = true;
    try {
      await revocations.refresh();
      await signingKeys.refresh();
      mark = now;
    } catch (error) {
      log.write(
        'error',
        'database.unreadable',
        'changes by other processes could not be read; it will be tried again',
        exceptionFields(error),
      );
    } finally {
      isFollowing = false;
    }
  };

  const tidy = async (): Promise<void> => {
    if (stopping.signal.aborted) return;
    try {
      revocations.prune();
      await signingKeys.ensureNext();
      await housekeep(deps, deps.sweeps, stopping.signal);
    } catch (error) {
      // If two processes create the next key, the UNIQUE index accepts one.
      if (stopping.signal.aborted || error instanceof UniqueViolation) return;
      log.write(
        'error',
        'housekeeping.failed',
        'expired rows could not be removed; it will be tried again',
        exceptionFields(error),
      );
    }
  };

  let isSealing = false;
  const seal = async (): Promise<void> => {
    if (isSealing || stopping.signal.aborted) return;
    isSealing = true;
    try {
      await deps.sealAudit.run();
    } catch (error) {
      log.write(
        'error',
        'audit.unsealed',
        'the audit log could not be sealed; it will be tried again',
        exceptionFields(error),
      );
    } finally {
      isSealing = false;
    }
  };

  const timers = [
    setInterval(() => void seal(), SEAL_MS),
    setInterval(() => void follow(), deps.followMs),
    setInterval(() => void tidy(), HOUSEKEEPING_MS),
  ];
  for (const timer of timers) timer.unref();
  void tidy();
  return () => {
    stopping.abort();
    for (const timer of timers) clearInterval(timer);
  };
}
