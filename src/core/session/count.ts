/** How many sessions there are, for the metrics. */
import { isNull, sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { prepare, query } from '../../db/prepare.ts';
import { session } from './tables.ts';

// Of the partial index alone; sessions that have expired are removed by housekeeping.
const count = prepare(
  query.select({ count: sql<number>`count(*)` }).from(session).where(isNull(session.endedAt)),
);

export async function countSessions(db: Pick<Database, 'read'>): Promise<number> {
  const [row] = await db.read(count());
  return row?.count ?? 0;
}
