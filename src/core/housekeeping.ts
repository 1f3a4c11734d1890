/** Rows that nothing can ask for any more, removed on a schedule (ASVS 14.2.7) and a bounded number at a time. */
import { raw } from '../db/prepare.ts';
import { purgeOneTimes } from './one-time.ts';
import { purgeOutbox } from './outbox.ts';
import type { Database } from '../db/database.ts';
import type { Clock } from '../lib/clock.ts';

const BATCH = 1_000;

/** Ended sessions stay this long, so that a late refresh is told what happened to it. */
const ENDED_SESSIONS_KEPT_MS = 24 * 3_600_000;

/** Settled letters count against the limits of an hour. */
const LETTERS_KEPT_MS = 2 * 3_600_000;

const sessions = raw('DELETE FROM session WHERE rowid IN (SELECT rowid FROM session WHERE expires_at <= :before OR ended_at <= :before LIMIT :batch)');
const revocations = raw('DELETE FROM revocation WHERE seq IN (SELECT seq FROM revocation WHERE expires_at <= :now LIMIT :batch)');
// A bucket near its end (N5) is not forgotten by time: only a success or an operator opens it again.
const throttles = raw('DELETE FROM throttle WHERE rowid IN (SELECT rowid FROM throttle WHERE last_at <= :before AND failures < 10 LIMIT :batch)');

/** Removes a batch of each kind. */
export async function housekeep({ db, clock }: { db: Database; clock: Clock }, throttleWindowMs: number): Promise<void> {
  const now = clock.now();
  await db.write([sessions({ before: now - ENDED_SESSIONS_KEPT_MS, batch: BATCH })]);
  await db.write([revocations({ now, batch: BATCH })]);
  await db.write([purgeOneTimes(now, BATCH)]);
  await db.write([purgeOutbox(now, LETTERS_KEPT_MS, BATCH)]);
  await db.write([throttles({ before: now - throttleWindowMs, batch: BATCH })]);
}
