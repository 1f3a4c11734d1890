/** Erasing the personal part of what was recorded about a user; the tree over the rows holds. */
import { and, eq, isNotNull } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { auditEvent } from './tables.ts';

const erase = prepare(
  query
    .update(auditEvent)
    .set({ personal: null, salt: null })
    .where(and(eq(auditEvent.userId, given('userId')), isNotNull(auditEvent.personal))),
);

/** The statement that erases the network addresses, user agents and names of a user's events. */
export function erasePersonal(userId: string): Statement {
  return erase({ userId });
}
