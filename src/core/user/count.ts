/** How many users there are, each number from one index: for operators. */
import { gte, isNotNull, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { firstIdAt } from '../../lib/id.ts';
import { user } from './tables.ts';

const counted = (where?: SQL) =>
  prepare(query.select({ count: sql<number>`count(*)` }).from(user).where(where));

const all = counted();
const disabled = counted(isNotNull(user.disabledAt));
const anonymous = counted(isNotNull(user.anonymousAt));
// An id begins with the time at which it was made (RFC 9562 §5.7).
const since = counted(gte(user.id, given('first')));

export interface UserCounts {
  readonly total: number;
  readonly disabled: number;
  readonly anonymous: number;
  /** Made within the last day, week and 30 days, as far as their ids were made here. */
  readonly newInDay: number;
  readonly newInWeek: number;
  readonly newInMonth: number;
}

const DAY_MS = 86_400_000;

export async function countUsers(db: Pick<Database, 'read'>, now: number): Promise<UserCounts> {
  const madeIn = (days: number) => db.read(since({ first: firstIdAt(now - days * DAY_MS) }));
  const rows = await Promise.all([
    db.read(all()),
    db.read(disabled()),
    db.read(anonymous()),
    madeIn(1),
    madeIn(7),
    madeIn(30),
  ]);
  const [total = 0, off = 0, guests = 0, day = 0, week = 0, month = 0] = rows.map(
    ([row]) => row?.count ?? 0,
  );
  return {
    total,
    disabled: off,
    anonymous: guests,
    newInDay: day,
    newInWeek: week,
    newInMonth: month,
  };
}
