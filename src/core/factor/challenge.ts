/**
 * What becomes of challenges. A challenge is a signed token and stands nowhere until it is
 * answered; from the first answer on a row counts the tries and says whether it was spent, each by
 * one conditional statement (L03, O08, W01). Spent is a state and not a time, so that a clock set
 * back revives nothing (G11).
 */
import { guarded, raw } from '../../db/prepare.ts';
import type { Database, Statement } from '../../db/database.ts';

/** Wrong answers after which a pending sign-in is over. */
export const MAX_CHALLENGE_TRIES = 5;

/** Rows outlive the token by this much, for clocks. */
const KEPT_MS = 3_600_000;

const count = raw<{ attempts: number }>(
  `INSERT INTO challenge (id, attempts, expires_at) VALUES (:id, 1, :expiresAt)
   ON CONFLICT (id) DO UPDATE SET attempts = attempts + 1 WHERE attempts < :most AND spent_at IS NULL RETURNING attempts`,
  ['attempts'],
);

/** Counts a try before it is made; false when the challenge is spent or was tried too often. */
export async function countChallengeTry(
  db: Database,
  id: string,
  now: number,
  most: number,
): Promise<boolean> {
  const [rows] = await db.write([count({ id, most, expiresAt: now + KEPT_MS })]);
  return rows.length > 0;
}

const giveBack = raw(
  'UPDATE challenge SET attempts = attempts - 1 WHERE id = :id AND attempts > 0',
);

/** The statement that takes a try back that was counted and then not made. */
export function uncountChallengeTry(id: string): Statement {
  return giveBack({ id });
}

const look = raw<{ attempts: number; spentAt: number | null }>(
  'SELECT attempts, spent_at FROM challenge WHERE id = :id',
  ['attempts', 'spentAt'],
);

/** Whether a challenge could still be answered; an answer is counted all the same. */
export async function isChallengeOpen(db: Database, id: string, most: number): Promise<boolean> {
  const [row] = await db.read(look({ id }));
  return row === undefined || (row.attempts < most && row.spentAt === null);
}

/** What a guarded spending says when the challenge brought somebody in before. */
export const CHALLENGE_SPENT = 'challenge_spent';

const spend = raw<{ id: string }>(
  'UPDATE challenge SET spent_at = :now WHERE id = :id AND spent_at IS NULL RETURNING id',
  ['id'],
);

/** The statement that spends a challenge that was counted: one success each. */
export function spendChallenge(id: string, now: number): Statement<{ id: string }> {
  return guarded(spend({ id, now }), CHALLENGE_SPENT);
}

const purge = raw<{ id: string }>(
  'DELETE FROM challenge WHERE id IN (SELECT id FROM challenge WHERE expires_at <= :now LIMIT :batch) RETURNING id',
  ['id'],
);

export function purgeChallenges(now: number, batch: number): Statement<{ id: string }> {
  return purge({ now, batch });
}
