/**
 * The state of challenges. A challenge is a signed token and is not stored until it is answered;
 * from the first answer on, a row counts the tries and records whether it was spent, each by one
 * conditional statement (L03, O08, W01). Spent is a state and not a time, so that setting the clock
 * back can't make it usable again (G11).
 */
import { and, eq, gt, inArray, isNull, lte, sql } from 'drizzle-orm';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { Clock } from '../../lib/clock.ts';
import { guarded } from '../guards.ts';
import type { Sweep } from '../sweep.ts';
import { challenge } from './tables.ts';

/** Wrong answers after which a pending sign-in has ended. */
export const MAX_CHALLENGE_TRIES = 5;

/** Rows outlive the token by this much, to allow for clock differences. */
const KEPT_MS = 3_600_000;

const count = prepare(
  query
    .insert(challenge)
    .values({ id: sql.placeholder('id'), attempts: 1, expiresAt: sql.placeholder('expiresAt') })
    .onConflictDoUpdate({
      target: challenge.id,
      set: { attempts: sql`${challenge.attempts} + 1` },
      setWhere: sql`${challenge.attempts} < ${given('most')} AND ${challenge.spentAt} IS NULL`,
    })
    .returning({ attempts: challenge.attempts }),
);

const isId = eq(challenge.id, given('id'));

const giveBack = prepare(
  query
    .update(challenge)
    .set({ attempts: sql`${challenge.attempts} - 1` })
    .where(and(isId, gt(challenge.attempts, 0))),
);

const look = prepare(
  query
    .select({ attempts: challenge.attempts, spentAt: challenge.spentAt })
    .from(challenge)
    .where(isId)
    .limit(1),
);

export interface Challenges {
  /**
   * Counts a try before the answer is checked; false when the challenge is spent or had too many.
   */
  countTry(id: string, most: number): Promise<boolean>;
  /** Uncounts a try whose answer was not checked. */
  giveTryBack(id: string): Promise<void>;
  /** Whether a challenge could still be answered; an answer must be counted all the same. */
  isOpen(id: string, most: number): Promise<boolean>;
}

export function createChallenges({ db, clock }: { db: Database; clock: Clock }): Challenges {
  return {
    countTry: async (id, most) => {
      const [rows] = await db.write([count({ id, most, expiresAt: clock.now() + KEPT_MS })]);
      return rows.length > 0;
    },
    giveTryBack: async (id) => void (await db.write([giveBack({ id })])),
    isOpen: async (id, most) => {
      const [row] = await db.read(look({ id }));
      return row === undefined || (row.attempts < most && row.spentAt === null);
    },
  };
}

const spend = prepare(
  query
    .update(challenge)
    .set({ spentAt: given('now') })
    .where(and(isId, isNull(challenge.spentAt))),
);

/** The statement that spends a counted challenge: only one success each, else `invalid_token`. */
export function spendChallenge(id: string, now: number): Statement {
  return guarded(spend({ id, now }), 'invalid_token');
}

/** Rows of challenges that have ended. */
export const challengeSweep: Sweep = prepare(
  query
    .delete(challenge)
    .where(
      inArray(
        challenge.id,
        query
          .select({ id: challenge.id })
          .from(challenge)
          .where(lte(challenge.expiresAt, given('before')))
          .limit(sql.placeholder('batch')),
      ),
    )
    .returning({ id: challenge.id }),
);
