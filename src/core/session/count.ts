/** How many sessions there are, and when one was last used: for metrics and checks. */
import { desc, isNull, sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { prepare, query } from '../../db/prepare.ts';
import { session } from './tables.ts';

// Reads only the partial index; housekeeping removes sessions that have expired.
const count = prepare(
  query.select({ count: sql<number>`count(*)` }).from(session).where(isNull(session.endedAt)),
);

export async function countSessions(db: Pick<Database, 'read'>): Promise<number> {
  const [row] = await db.read(count());
  return row?.count ?? 0;
}

// No index: only an operator's checks ask this.
const latest = prepare(
  query.select({ at: session.lastUsedAt }).from(session).orderBy(desc(session.lastUsedAt)).limit(1),
);

/** When a session was last used, by the clock of that time; 0 if there is none. */
export async function latestSession(db: Pick<Database, 'read'>): Promise<number> {
  const [row] = await db.read(latest());
  return row?.at ?? 0;
}
