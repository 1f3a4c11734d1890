/** Who authenticated since a time: whom an incident affects. */
import { and, asc, eq, gte, isNull, sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { user } from '../user/tables.ts';
import { session } from './tables.ts';

// No index: asked by an operator, in an emergency.
const since = prepare(
  query
    .select({
      userId: user.id,
      username: user.username,
      email: user.email,
      sessions: sql<number>`count(*)`,
      first: sql<number>`min(${session.authTime})`,
      addresses: sql<string>`group_concat(DISTINCT ${session.ip})`,
    })
    .from(session)
    .innerJoin(user, eq(user.id, session.userId))
    .where(and(isNull(session.endedAt), gte(session.authTime, given('since'))))
    .groupBy(user.id)
    .orderBy(asc(user.id)),
);

export interface Affected {
  readonly userId: string;
  readonly username: string | null;
  readonly email: string | null;
  /** Live sessions in which somebody authenticated since then. */
  readonly sessions: number;
  readonly first: number;
  /** Client addresses, as far as known. */
  readonly addresses: readonly string[];
}

export async function affectedSince(
  db: Pick<Database, 'read'>,
  at: number,
): Promise<readonly Affected[]> {
  const rows = await db.read(since({ since: at }));
  return rows.map(({ addresses, ...row }) => ({
    ...row,
    // NULL when no address is known.
    addresses: typeof addresses === 'string' ? addresses.split(',') : [],
  }));
}
