/**
 * Ended sessions in memory, so that GET /verify needs no database. Loaded at start, kept as long as
 * an access token can live, and updated from the table, to which every process on the same database
 * writes.
 */
import { and, gt, inArray, isNotNull, lte, sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Sweep } from '../sweep.ts';
import { revocation, session } from './tables.ts';

const PAGE = 10_000;

export interface Revocations {
  isRevoked(sessionId: string): boolean;
  /** The status list numbers of all ended sessions. */
  statusIndexes(): Iterable<number>;
  /** Changes whenever that set changes. */
  readonly version: number;
  /** Reads what any process has added since the last time. */
  refresh(): Promise<void>;
  /** Removes entries whose access tokens have all expired. */
  prune(): void;
  readonly size: number;
}

const since = prepare(
  query
    .select({
      seq: revocation.seq,
      sessionId: revocation.sessionId,
      statusIndex: revocation.statusIndex,
      expiresAt: revocation.expiresAt,
    })
    .from(revocation)
    .where(gt(revocation.seq, given('seq')))
    .orderBy(revocation.seq)
    .limit(PAGE),
);

interface Ended {
  /** When the last access token of the session expires. */
  readonly expiresAt: number;
  readonly statusIndex: number | null;
}

/** Loads the set. An entry may be kept too long, never too short. */
export async function createRevocations({
  db,
  clock,
}: {
  db: Database;
  clock: Clock;
}): Promise<Revocations> {
  const revoked = new Map<string, Ended>();
  let version = 0;
  let seen = 0;
  const refresh = async (): Promise<void> => {
    for (;;) {
      const rows = await db.read(since({ seq: seen }));
      for (const { seq, sessionId, statusIndex, expiresAt } of rows) {
        revoked.set(sessionId, { expiresAt, statusIndex });
        seen = Math.max(seen, seq);
      }
      if (rows.length > 0) version++;
      if (rows.length < PAGE) return;
    }
  };
  await refresh();
  return {
    isRevoked: (sessionId) => revoked.has(sessionId),
    refresh,
    prune: () => {
      const now = clock.now();
      const before = revoked.size;
      for (const [sessionId, { expiresAt }] of revoked)
        if (expiresAt <= now) revoked.delete(sessionId);
      if (revoked.size !== before) version++;
    },
    statusIndexes: function* () {
      for (const { statusIndex } of revoked.values()) if (statusIndex !== null) yield statusIndex;
    },
    get version() {
      return version;
    },
    get size() {
      return revoked.size;
    },
  };
}

/** Revocations whose access tokens have all expired. */
export const revocationSweep: Sweep = prepare(
  query
    .delete(revocation)
    .where(
      inArray(
        revocation.seq,
        query
          .select({ seq: revocation.seq })
          .from(revocation)
          .where(lte(revocation.expiresAt, given('before')))
          .limit(sql.placeholder('batch')),
      ),
    )
    .returning({ seq: revocation.seq }),
);

/** Ended sessions are kept this long, so that a late refresh gets the exact refusal. */
export const ENDED_SESSIONS_KEPT_MS = 24 * 3_600_000;

/** Sessions that have ended, or have reached their absolute end. */
export const sessionSweeps: readonly Sweep[] = [session.expiresAt, session.endedAt].map((end) =>
  prepare(
    query
      .delete(session)
      .where(
        inArray(
          session.id,
          query
            .select({ id: session.id })
            .from(session)
            .where(and(isNotNull(end), lte(end, given('before'))))
            .limit(sql.placeholder('batch')),
        ),
      )
      .returning({ id: session.id }),
  ),
);
