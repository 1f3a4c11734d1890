/** Queries of the badge. */
import { eq } from 'drizzle-orm';
import { given, prepare, query } from '../../../src/db/prepare.ts';
import { badge } from './tables.ts';

const ofUser = eq(badge.userId, given('userId'));

export const insertBadge = prepare(
  query.insert(badge).values({ userId: given('userId'), numberHash: given('numberHash') }),
);
export const removeBadge = prepare(query.delete(badge).where(ofUser));
export const badgeOf = prepare(
  query.select({ numberHash: badge.numberHash }).from(badge).where(ofUser).limit(1),
);
export const anyBadge = prepare(query.select({ userId: badge.userId }).from(badge).limit(1));
