/** The users who authenticated since a given time: those affected by an incident. */
import { and, asc, eq, gte, isNull, sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { user } from '../user/tables.ts';
import { session } from './tables.ts';

// No index: only an operator asks this, in an emergency.
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
  /** Live sessions with an authentication since then. */
  readonly sessions: number;
  readonly first: number;
  /** Client addresses that are known. */
  readonly addresses: readonly string[];
}

export async function affectedSince(
  db: Pick<Database, 'read'>,
  at: number,
): Promise<readonly Affected[]> {
  const rows = await db.read(since({ since: at }));
  return rows.map(({ addresses, ...row }) => ({
    ...row,
    // NULL when the address is not known.
    addresses: typeof addresses === 'string' ? addresses.split(',') : [],
  }));
}
