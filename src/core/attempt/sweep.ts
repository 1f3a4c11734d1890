/** Removes counters that protect nothing any more; what stays is what N5 asks to be remembered. */
import { and, eq, inArray, lte, notInArray, or, sql } from 'drizzle-orm';
import { given, prepare, query } from '../../db/prepare.ts';
import type { Sweep } from '../sweep.ts';
import { session } from '../session/tables.ts';
import { PURPOSES, PURPOSE_NAMES } from './purposes.ts';
import type { AttemptPurpose } from './purposes.ts';
import { attempt } from './tables.ts';

/** A device with fewer failures than this is forgotten; with more, its counter is one to keep. */
const FEW_FAILURES = 10;

const rowid = sql<number>`${attempt}.rowid`;

/** Makes the sweep of one purpose; `{before}` is the latest last attempt that is forgotten. */
function sweepOf(purposes: readonly AttemptPurpose[], keepsAccounts: 'all' | 'accounts'): Sweep {
  const isOver =
    keepsAccounts === 'all'
      ? undefined
      : or(
          and(eq(attempt.scopeKind, 'device'), lte(attempt.failures, FEW_FAILURES - 1)),
          and(
            eq(attempt.scopeKind, 'session'),
            notInArray(attempt.scopeId, query.select({ id: session.id }).from(session)),
          ),
        );
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
export function attemptSweeps(windowMs: number): readonly { sweep: Sweep; keptMs: number }[] {
  const kept = PURPOSE_NAMES.filter((name) => PURPOSES[name].kept === 'until_success');
  const timed = PURPOSE_NAMES.flatMap((name) => {
    const { kept: rule } = PURPOSES[name];
    if (rule === 'until_success') return [];
    return [{ sweep: sweepOf([name], 'all'), keptMs: rule === 'window' ? windowMs : rule }];
  });
  return [...timed, { sweep: sweepOf(kept, 'accounts'), keptMs: windowMs }];
}
