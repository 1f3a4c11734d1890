/** Removes attempt counters that no longer protect anything; N5 says which must be remembered. */
import { and, desc, eq, inArray, lte, notInArray, or, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { ScheduledSweep, Sweep } from '../sweep.ts';
import { session } from '../session/tables.ts';
import { MAX_NEWEST, PURPOSES, PURPOSE_NAMES } from './purposes.ts';
import type { AttemptPurpose } from './purposes.ts';
import { attempt } from './tables.ts';

/** A device counter with fewer failures is removed; with more, it is kept. */
const FEW_FAILURES = 10;

const rowid = sql<number>`${attempt}.rowid`;

/** Counters of devices and of ended sessions, as opposed to the account's own. */
const isOfNobody = or(
  and(eq(attempt.scopeKind, 'device'), lte(attempt.failures, FEW_FAILURES - 1)),
  and(
    eq(attempt.scopeKind, 'session'),
    notInArray(attempt.scopeId, query.select({ id: session.id }).from(session)),
  ),
);

/** Yields the last attempt of the newest row that is one too many; no row while there are few. */
function boundOf(purpose: AttemptPurpose): () => Statement<{ readonly before: number }> {
  return prepare(
    query
      .select({ before: attempt.lastAt })
      .from(attempt)
      .where(eq(attempt.purpose, purpose))
      .orderBy(desc(attempt.lastAt))
      .limit(1)
      .offset(MAX_NEWEST),
  );
}

/**
 * Makes the sweep of purposes; `{before}` is the latest last attempt that is forgotten.
 *
 * @param isOver a further condition for the removal
 */
function sweepOf(purposes: readonly AttemptPurpose[], isOver?: SQL): Sweep {
  const stale = query
    .select({ rowid })
    .from(attempt)
    .where(
      and(inArray(attempt.purpose, [...purposes]), lte(attempt.lastAt, given('before')), isOver),
    )
    .limit(sql.placeholder('batch'));
  return prepare(
    query.delete(attempt).where(inArray(rowid, stale)).returning({ purpose: attempt.purpose }),
  );
}

/** The sweeps of all purposes, each with how long failures are kept after the last attempt. */
export function attemptSweeps(windowMs: number): readonly ScheduledSweep[] {
  const kept = PURPOSE_NAMES.filter((name) => PURPOSES[name].kept === 'until_success');
  const others = PURPOSE_NAMES.flatMap((name) => {
    const { kept: rule } = PURPOSES[name];
    if (rule === 'until_success') return [];
    if (rule === 'newest') {
      return [{ sweep: sweepOf([name]), keptMs: windowMs, bound: boundOf(name) }];
    }
    return [{ sweep: sweepOf([name]), keptMs: rule === 'window' ? windowMs : rule }];
  });
  return [...others, { sweep: sweepOf(kept, isOfNobody), keptMs: windowMs }];
}
