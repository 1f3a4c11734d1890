/**
 * Rows that nothing can ask for any more, removed on a schedule (ASVS 14.2.7) and a bounded number
 * at a time.
 */
import { raw } from '../db/prepare.ts';
import { purgeChallenges } from './factor/challenge.ts';
import { purgeOneTimes } from './one-time/one-time.ts';
import { purgeOutbox } from './email/outbox.ts';
import type { Database } from '../db/database.ts';
import type { Clock } from '../lib/clock.ts';

const BATCH = 1_000;
/** Of each kind at a time: what is left is for the next time. */
const MAX_ROUNDS = 200;

/** Ended sessions stay this long, so that a late refresh is told what happened to it. */
const ENDED_SESSIONS_KEPT_MS = 24 * 3_600_000;

/** Settled letters count against the limits of an hour. */
const LETTERS_KEPT_MS = 2 * 3_600_000;

const sessions = raw<{ id: number }>(
  'DELETE FROM session WHERE rowid IN (SELECT rowid FROM session WHERE expires_at <= :before OR ended_at <= :before LIMIT :batch) RETURNING rowid',
  ['id'],
);
const revocations = raw<{ id: number }>(
  'DELETE FROM revocation WHERE seq IN (SELECT seq FROM revocation WHERE expires_at <= :now LIMIT :batch) RETURNING seq',
  ['id'],
);
// Names that nobody has, and addresses that register, guard no password. An account's own bucket
// keeps its failures, for only a success or an operator forgets them (N5): with nine a day for
// ever, a hundred would never come. A session's goes with the session, a device's when it holds
// little; all of them go with the user.
const OWNER = "substr(key, instr(key, ':') + 1, 36)";
const APART = "substr(key, instr(key, ':') + 38)";
const throttles = raw<{ id: number }>(
  `DELETE FROM throttle WHERE rowid IN (SELECT rowid FROM throttle WHERE last_at <= :before AND CASE
     WHEN key LIKE 'password:?%' OR key LIKE 'registration:%' OR key LIKE 'totp-enrolment:%' THEN 1
     WHEN key LIKE 'password:%' OR key LIKE 'second:%' OR key LIKE 'code:%' THEN CASE
       WHEN NOT EXISTS (SELECT 1 FROM "user" WHERE id = ${OWNER}) THEN 1
       WHEN ${APART} = '' THEN key LIKE 'code:%' AND failures < 10
       WHEN length(${APART}) = 37 AND ${APART} LIKE 's%' THEN NOT EXISTS (SELECT 1 FROM session WHERE id = substr(${APART}, 2))
       ELSE failures < 10 END
     ELSE 1 END LIMIT :batch) RETURNING rowid`,
  ['id'],
);
const enrolments = raw<{ id: number }>(
  'DELETE FROM totp_enrolment WHERE rowid IN (SELECT rowid FROM totp_enrolment WHERE expires_at <= :now LIMIT :batch) RETURNING rowid',
  ['id'],
);

/**
 * Removes what is over, a batch after the other: each is one short commit, so that sign-ins come in
 * between.
 */
export async function housekeep(
  { db, clock }: { db: Database; clock: Clock },
  throttleWindowMs: number,
): Promise<void> {
  const now = clock.now();
  const purges = [
    () => sessions({ before: now - ENDED_SESSIONS_KEPT_MS, batch: BATCH }),
    () => revocations({ now, batch: BATCH }),
    () => purgeOneTimes(now, BATCH),
    () => purgeChallenges(now, BATCH),
    () => purgeOutbox(now, LETTERS_KEPT_MS, BATCH),
    () => enrolments({ now, batch: BATCH }),
    () => throttles({ before: now - throttleWindowMs, batch: BATCH }),
  ];
  for (const purge of purges) {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const [removed] = await db.write([purge()]);
      if (removed.length < BATCH) break;
    }
  }
}
