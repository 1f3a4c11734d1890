/** The list of all users, page by page. */
import { asc, gt, sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { user } from './tables.ts';
import { userColumns } from './user.ts';
import type { User } from './user.ts';

const page = prepare(
  query
    .select(userColumns)
    .from(user)
    .where(gt(user.id, given('after')))
    .orderBy(asc(user.id))
    .limit(sql.placeholder('limit')),
);

/** Users in the order in which they registered, after an id. */
export async function listUsers(db: Database, after: string, limit: number): Promise<User[]> {
  return db.read(page({ after, limit }));
}
