/** Rows that nothing can ask for any more, removed on a schedule (ASVS 14.2.7). */
import type { Database } from '../db/database.ts';
import type { Clock } from '../lib/clock.ts';
import { attemptSweeps } from './attempt/sweep.ts';
import { SETTLED_EMAILS_KEPT_MS, outboxSweep } from './email/outbox.ts';
import { challengeSweep } from './factor/challenge.ts';
import { oneTimeSweep } from './one-time/one-time.ts';
import { ENDED_SESSIONS_KEPT_MS, revocationSweep, sessionSweeps } from './session/revocation.ts';
import type { ScheduledSweep } from './sweep.ts';

/** Each batch is one short commit, so that sign-ins come in between. */
const BATCH = 200;

/** The sweeps of the core's own tables. */
export function coreSweeps(attemptWindowMs: number): readonly ScheduledSweep[] {
  return [
    ...sessionSweeps.map((sweep) => ({ sweep, keptMs: ENDED_SESSIONS_KEPT_MS })),
    { sweep: revocationSweep, keptMs: 0 },
    { sweep: oneTimeSweep, keptMs: 0 },
    { sweep: challengeSweep, keptMs: 0 },
    { sweep: outboxSweep, keptMs: SETTLED_EMAILS_KEPT_MS },
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
    for (let removed = BATCH; removed === BATCH && !signal.aborted; ) {
      const [rows] = await db.write([sweep({ before: now - keptMs, batch: BATCH })]);
      removed = rows.length;
      // Requests that came meanwhile go first.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
