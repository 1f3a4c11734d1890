/**
 * Ended sessions in memory, so that GET /verify knows of them without the database. Loaded at
 * start, kept as long as an access token can live, and fed from the table, where every process on
 * the same database writes its own endings.
 */
import { raw } from '../../db/prepare.ts';
import type { Database } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';

export interface Revocations {
  isRevoked(sessionId: string): boolean;
  /** Reads what has been added since the last time, by whomever. */
  refresh(): Promise<void>;
  /** Forgets what no token can ask for any more. */
  prune(): void;
  readonly size: number;
}

const since = raw<{ seq: number; sessionId: string; expiresAt: number }>(
  'SELECT seq, session_id, expires_at FROM revocation WHERE seq > :seq ORDER BY seq LIMIT 10000',
  ['seq', 'sessionId', 'expiresAt'],
);

/** Loads the set. It may hold a session too long, never too short. */
export async function createRevocations({
  db,
  clock,
}: {
  db: Database;
  clock: Clock;
}): Promise<Revocations> {
  const revoked = new Map<string, number>();
  let seen = 0;
  const refresh = async (): Promise<void> => {
    for (;;) {
      const rows = await db.read(since({ seq: seen }));
      for (const { seq, sessionId, expiresAt } of rows) {
        revoked.set(sessionId, expiresAt);
        seen = Math.max(seen, seq);
      }
      if (rows.length < 10_000) return;
    }
  };
  await refresh();
  return {
    isRevoked: (sessionId) => revoked.has(sessionId),
    refresh,
    prune: () => {
      const now = clock.now();
      for (const [sessionId, expiresAt] of revoked) if (expiresAt <= now) revoked.delete(sessionId);
    },
    get size() {
      return revoked.size;
    },
  };
}
