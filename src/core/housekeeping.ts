/** Rows that nothing can ask for any more, removed on a schedule (ASVS 14.2.7). */
import type { Database, Statement } from '../db/database.ts';
import type { Clock } from '../lib/clock.ts';
import { attemptSweeps } from './attempt/sweep.ts';
import { outboxSweep } from './email/outbox.ts';
import { challengeSweep } from './factor/challenge.ts';
import { oneTimeSweep } from './one-time/one-time.ts';
import { ENDED_SESSIONS_KEPT_MS, revocationSweep, sessionSweeps } from './session/revocation.ts';
import type { ScheduledSweep } from './sweep.ts';

/**
 * Each batch is one short transaction, so that requests come in between: its size follows the time
 * for which the last one blocked the event loop, for rows of one table cost many times those of
 * another.
 */
const BATCH = { least: 10, first: 50, most: 1_000 };
/** After a step that blocked for longer than this, the next one is half as large. */
const LONG_STEP_MS = 2.5;

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
      const { removed, blockedMs } = await removeSome(
        db,
        clock,
        sweep({ before: now - keptMs, batch }),
      );
      isWhole = removed === batch;
      batch = nextBatch(batch, blockedMs);
      // Requests that came meanwhile go first.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/**
 * The transaction runs in a turn's immediates, between the two that are set here; it may be told
 * before the second one.
 */
async function removeSome(
  db: Database,
  clock: Clock,
  statement: Statement,
): Promise<{ readonly removed: number; readonly blockedMs: number }> {
  let began = 0;
  let ended: number | undefined;
  setImmediate(() => (began = clock.monotonic()));
  const written = db.write([statement]);
  setImmediate(() => (ended = clock.monotonic()));
  const [rows] = await written;
  return { removed: rows.length, blockedMs: (ended ?? clock.monotonic()) - began };
}

function nextBatch(batch: number, blockedMs: number): number {
  const wanted = blockedMs > LONG_STEP_MS ? batch / 2 : batch * 2;
  return Math.round(Math.min(BATCH.most, Math.max(BATCH.least, wanted)));
}
