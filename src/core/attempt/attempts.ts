/**
 * Attempt counters that protect a secret. One database statement first counts and then decides
 * whether the attempt is allowed: parallel guesses can't be under-counted, and a restart forgets
 * nothing (L03, L05, N5).
 *
 * A counter drains over a window; beyond its allowance each further failure doubles the wait, up to
 * an hour. A device that signed in before has a counter of its own, so that strangers who use up
 * the account's counter don't lock its owner out (L02).
 */
import { and, desc, eq, inArray, sql } from 'drizzle-orm';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { Clock } from '../../lib/clock.ts';
import { Refusal } from '../../refusal.ts';
import type { RefusalCode } from '../../refusal.ts';
import { PURPOSES, PURPOSE_NAMES } from './purposes.ts';
import type { AttemptPurpose } from './purposes.ts';
import { attempt } from './tables.ts';

/** Limits of a counter; times in milliseconds. */
export interface AttemptLimits {
  /** Failures that cause no wait. */
  readonly allowance: number;
  /** The time in which that many failures drain away. */
  readonly windowMs: number;
  /** The first wait; each further failure doubles it. */
  readonly waitMs: number;
  readonly maxWaitMs: number;
  /** Consecutive failures after which a counter locks (N5: at most 100). */
  readonly maxFailures: number;
}

/** Who makes the attempt, if they have a counter of their own. */
export type AttemptScope =
  | { readonly kind: 'anybody' }
  | { readonly kind: 'device' | 'session'; readonly id: string };

export const ANYBODY: AttemptScope = { kind: 'anybody' };

/** Which counter. */
export interface AttemptKey {
  readonly purpose: AttemptPurpose;
  /** A user id, or a keyed hash of a name or address without an account. */
  readonly subject: string;
  /** The account that is protected; null when there is none. */
  readonly ownerUserId: string | null;
  readonly scope: AttemptScope;
}

/** An attempt that was made: its result, and the statement to commit with its success. */
export interface MadeAttempt<T> {
  readonly value: T;
  /** Attempts since the last success, this one included. */
  readonly failures: number;
  /** Resets the counter. */
  readonly forget: Statement;
}

/** A counter as operators see it. */
export interface AttemptCounter {
  readonly purpose: AttemptPurpose;
  readonly scope: AttemptScope['kind'];
  readonly failures: number;
  /** Wall-clock milliseconds. */
  readonly lastAt: number;
  /** Until when attempts are refused; null when the next one may be made. */
  readonly blockedUntil: number | null;
  /** Whether it stays so until an operator, or a success elsewhere, clears it. */
  readonly isLocked: boolean;
}

export interface Attempts {
  /**
   * Counts an attempt, runs it, and uncounts it when the secret was not checked (overloaded, client
   * disconnected). An attempt refused with one of {@link WRONG} stays counted.
   *
   * @param patienceMs how long the count may wait for a commit that it can share
   * @throws {Refusal} too_many_attempts, and what `make` throws
   */
  guard<T>(
    key: AttemptKey,
    make: (failures: number) => Promise<T>,
    patienceMs?: number,
  ): Promise<MadeAttempt<T>>;
  /** The statement that clears every counter of one purpose that protects an account. */
  forgetPurpose(userId: string, purpose: AttemptPurpose): Statement;
  /** The statement that clears the counters that `postern user unlock` clears. */
  forgetAll(userId: string): Statement;
  /** The counters that protect an account, the last failure first. */
  ofUser(userId: string): Promise<readonly AttemptCounter[]>;
  /** Writes one row as a sign-in does, to test the lock, the free space and the flush. */
  probe(): Statement;
}

const byOwner = prepare(
  query
    .select({
      purpose: attempt.purpose,
      scopeKind: attempt.scopeKind,
      failures: attempt.failures,
      lastAt: attempt.lastAt,
      blockedUntil: attempt.blockedUntil,
    })
    .from(attempt)
    .where(eq(attempt.ownerUserId, given('userId')))
    .orderBy(desc(attempt.lastAt)),
);

/** Refusals that mean that the secret was checked and is wrong. */
const WRONG: ReadonlySet<RefusalCode> = new Set(['invalid_credentials', 'invalid_code']);

// The new value of `recent`: the old one, drained since, plus one. A clock that was set back drains
// nothing.
const RECENT = sql`(max(0.0, ${attempt.recent} - max(0, ${given('now')} - ${attempt.lastAt}) * 1.0 * ${given('allowance')} / ${given('windowMs')}) + 1)`;

// Half an attempt of tolerance: the little that drains during a burst must not allow one more.
const FULL = sql`(${given('allowance')} - 0.5)`;

const count = prepare(
  query
    .insert(attempt)
    .values({
      purpose: sql.placeholder('purpose'),
      subject: sql.placeholder('subject'),
      scopeKind: sql.placeholder('scopeKind'),
      scopeId: sql.placeholder('scopeId'),
      ownerUserId: sql.placeholder('ownerUserId'),
      failures: 1,
      recent: sql`1.0`,
      lastAt: sql.placeholder('now'),
      blockedUntil: sql`CASE WHEN ${given('allowance')} <= 1 THEN ${given('now')} + ${given('waitMs')} ELSE 0 END`,
    })
    .onConflictDoUpdate({
      target: [attempt.purpose, attempt.subject, attempt.scopeKind, attempt.scopeId],
      set: {
        failures: sql`${attempt.failures} + 1`,
        recent: RECENT,
        lastAt: given('now'),
        blockedUntil: sql`CASE WHEN ${RECENT} < ${FULL} THEN 0
          ELSE ${given('now')} + min(${given('maxWaitMs')}, ${given('waitMs')} * (1 << min(20, CAST(${RECENT} - ${FULL} AS INTEGER)))) END`,
      },
      setWhere: sql`${attempt.failures} < ${given('maxFailures')} AND (${attempt.blockedUntil} <= ${given('now')} OR ${attempt.blockedUntil} > ${given('now')} + ${given('maxWaitMs')})`,
    })
    .returning({ failures: attempt.failures }),
);

const isKey = and(
  eq(attempt.purpose, given('purpose')),
  eq(attempt.subject, given('subject')),
  eq(attempt.scopeKind, given('scopeKind')),
  eq(attempt.scopeId, given('scopeId')),
);

const look = prepare(
  query
    .select({ failures: attempt.failures, blockedUntil: attempt.blockedUntil })
    .from(attempt)
    .where(isKey)
    .limit(1),
);

const giveBack = prepare(
  query
    .update(attempt)
    .set({
      failures: sql`max(0, ${attempt.failures} - 1)`,
      recent: sql`max(0.0, ${attempt.recent} - 1)`,
      blockedUntil: sql`CASE WHEN ${attempt.recent} - 1 < ${FULL} THEN 0 ELSE ${attempt.blockedUntil} END`,
    })
    .where(isKey),
);

const forgetEmpty = prepare(query.delete(attempt).where(and(isKey, eq(attempt.failures, 0))));

const forgetOne = prepare(query.delete(attempt).where(isKey));

const forgetOfPurpose = prepare(
  query
    .delete(attempt)
    .where(and(eq(attempt.ownerUserId, given('userId')), eq(attempt.purpose, given('purpose')))),
);

const CLEARED_BY_OPERATOR = PURPOSE_NAMES.filter((name) => PURPOSES[name].isClearedByOperator);

const forgetOfUser = prepare(
  query
    .delete(attempt)
    .where(
      and(eq(attempt.ownerUserId, given('userId')), inArray(attempt.purpose, CLEARED_BY_OPERATOR)),
    ),
);

const probeRow = prepare(
  query
    .insert(attempt)
    .values({
      purpose: 'readiness',
      subject: '',
      scopeKind: 'anybody',
      scopeId: '',
      failures: 0,
      recent: sql`0.0`,
      lastAt: sql.placeholder('now'),
      blockedUntil: 0,
    })
    .onConflictDoUpdate({
      target: [attempt.purpose, attempt.subject, attempt.scopeKind, attempt.scopeId],
      set: { failures: sql`1 - ${attempt.failures}`, lastAt: given('now') },
    }),
);

function valuesOf({ purpose, subject, ownerUserId, scope }: AttemptKey) {
  const scopeId = scope.kind === 'anybody' ? '' : scope.id;
  return { purpose, subject, ownerUserId, scopeKind: scope.kind, scopeId };
}

export interface AttemptDeps {
  readonly db: Database;
  readonly clock: Clock;
  /** Called for each attempt that is refused. */
  readonly onThrottled?: (purpose: AttemptPurpose) => void;
}

export function createAttempts(
  { db, clock, onThrottled }: AttemptDeps,
  limits: AttemptLimits,
): Attempts {
  const { allowance, windowMs, waitMs, maxWaitMs } = limits;

  /** @throws {Refusal} too_many_attempts: the attempt is not allowed */
  const countOne = async (key: AttemptKey, patienceMs: number): Promise<number> => {
    const values = valuesOf(key);
    const now = clock.now();
    const maxFailures = PURPOSES[key.purpose].locks ? limits.maxFailures : Number.MAX_SAFE_INTEGER;
    const counting = count({ now, ...values, allowance, windowMs, waitMs, maxWaitMs, maxFailures });
    const [[counted]] = await db.write([counting], patienceMs);
    if (counted !== undefined) return counted.failures;
    const [row] = await db.read(look(values));
    const isLocked = row !== undefined && row.failures >= maxFailures;
    const remainingMs = isLocked ? maxWaitMs : (row?.blockedUntil ?? now) - now;
    onThrottled?.(key.purpose);
    throw new Refusal('too_many_attempts', {
      retryAfterSeconds: Math.max(1, Math.ceil(remainingMs / 1000)),
    });
  };

  return {
    guard: async (key, make, patienceMs = 0) => {
      const failures = await countOne(key, patienceMs);
      try {
        return { value: await make(failures), failures, forget: forgetOne(valuesOf(key)) };
      } catch (error) {
        const isWrong = error instanceof Refusal && WRONG.has(error.code);
        // Delete a counter that is back at zero (T16: strangers could fill the table).
        if (!isWrong) {
          const values = valuesOf(key);
          await db.write([giveBack({ allowance, ...values }), forgetEmpty(values)]);
        }
        throw error;
      }
    },
    forgetPurpose: (userId, purpose) => forgetOfPurpose({ userId, purpose }),
    forgetAll: (userId) => forgetOfUser({ userId }),
    ofUser: async (userId) => {
      const now = clock.now();
      const rows = await db.read(byOwner({ userId }));
      return rows.flatMap(({ purpose: name, scopeKind, blockedUntil, ...row }) => {
        const purpose = PURPOSE_NAMES.find((known) => known === name);
        if (purpose === undefined) return [];
        const isLocked = PURPOSES[purpose].locks && row.failures >= limits.maxFailures;
        const until = blockedUntil > now ? blockedUntil : null;
        return [{ ...row, purpose, scope: scopeKind, blockedUntil: until, isLocked }];
      });
    },
    probe: () => probeRow({ now: clock.now() }),
  };
}
