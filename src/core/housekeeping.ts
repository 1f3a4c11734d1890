/** Removes rows that nothing reads any more, on a schedule (ASVS 14.2.7). */
import type { Database, Statement } from '../db/database.ts';
import type { Clock } from '../lib/clock.ts';
import { attemptSweeps } from './attempt/sweep.ts';
import { outboxSweep } from './email/outbox.ts';
import { challengeSweep } from './factor/challenge.ts';
import { oneTimeSweep } from './one-time/one-time.ts';
import { ENDED_SESSIONS_KEPT_MS, revocationSweep, sessionSweeps } from './session/revocation.ts';
import { smsSweeps } from './sms/rules.ts';
import type { ScheduledSweep } from './sweep.ts';

/**
 * Each batch is one short transaction, so that requests run in between. Its size adapts to how long
 * the last one blocked the event loop, because some tables' rows cost many times more than others'.
 */
const BATCH = { least: 10, first: 50, most: 1_000 };
/** After a batch that blocked for longer than this, the next one is half as large. */
const LONG_STEP_MS = 2.5;

/** The sweeps of the core's own tables. */
export function coreSweeps(attemptWindowMs: number): readonly ScheduledSweep[] {
  return [
    ...sessionSweeps.map((sweep) => ({ sweep, keptMs: ENDED_SESSIONS_KEPT_MS })),
    { sweep: revocationSweep, keptMs: 0 },
    { sweep: oneTimeSweep, keptMs: 0 },
    { sweep: challengeSweep, keptMs: 0 },
    { sweep: outboxSweep, keptMs: 0 },
    ...smsSweeps,
    ...attemptSweeps(attemptWindowMs),
  ];
}

/** Removes expired rows in batches until none are left. */
export async function housekeep(
  { db, clock }: { readonly db: Database; readonly clock: Clock },
  sweeps: readonly ScheduledSweep[],
  signal: AbortSignal,
): Promise<void> {
  const now = clock.now();
  for (const { sweep, keptMs, bound } of sweeps) {
    const latest = bound === undefined ? now : (await db.read(bound()))[0]?.before;
    if (latest === undefined) continue;
    const before = Math.min(now - keptMs, latest);
    let batch = BATCH.first;
    for (let isWhole = true; isWhole && !signal.aborted; ) {
      const { removed, blockedMs } = await removeSome(db, clock, sweep({ before, batch }));
      isWhole = removed === batch;
      batch = nextBatch(batch, blockedMs);
      // Let requests that arrived meanwhile run first.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/**
 * The transaction runs between the two immediates set here; its result may arrive before the second
 * one.
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
