/** Rows that nothing can ask for any more, removed on a schedule (ASVS 14.2.7). */
import type { Database } from '../db/database.ts';
import type { Clock } from '../lib/clock.ts';
import { attemptSweeps } from './attempt/sweep.ts';
import { outboxSweep } from './email/outbox.ts';
import { challengeSweep } from './factor/challenge.ts';
import { oneTimeSweep } from './one-time/one-time.ts';
import { ENDED_SESSIONS_KEPT_MS, revocationSweep, sessionSweeps } from './session/revocation.ts';
import type { ScheduledSweep } from './sweep.ts';

/**
 * Each batch is one short commit, so that sign-ins come in between: its size follows the time that
 * the last one took, for rows of one table cost many times those of another.
 */
const BATCH = { least: 100, first: 100, most: 1_000 };
/** After a step that took longer than this, flush included, the next one is half as large. */
const LONG_STEP_MS = 3;

/** The sweeps of the core's own tables. */
export function coreSweeps(attemptWindowMs: number): readonly ScheduledSweep[] {
  return [
    ...sessionSweeps.map((sweep) => ({ sweep, keptMs: ENDED_SESSIONS_KEPT_MS })),
    { sweep: revocationSweep, keptMs: 0 },
    { sweep: oneTimeSweep, keptMs: 0 },
    { sweep: challengeSweep, keptMs: 0 },
    { sweep: outboxSweep, keptMs: 0 },
    ...attemptSweeps(attemptWindowMs),
  ];
}

/** Removes what is over until nothing is left of it, one batch after the other. */
export async function housekeep(
  { db, clock }: { readonly db: Database; readonly clock: Clock },
  sweeps: readonly ScheduledSweep[],
  signal: AbortSignal,
): Promise<void> {
  const now = clock.now();
  for (const { sweep, keptMs } of sweeps) {
    let batch = BATCH.first;
    for (let isWhole = true; isWhole && !signal.aborted; ) {
      const statement = sweep({ before: now - keptMs, batch });
      const began = clock.monotonic();
      const [rows] = await db.write([statement]);
      isWhole = rows.length === batch;
      batch = nextBatch(batch, clock.monotonic() - began);
      // Requests that came meanwhile go first.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function nextBatch(batch: number, tookMs: number): number {
  const wanted = tookMs > LONG_STEP_MS ? batch / 2 : batch * 2;
  return Math.round(Math.min(BATCH.most, Math.max(BATCH.least, wanted)));
}
