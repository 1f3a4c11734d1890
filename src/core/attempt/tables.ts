/** The table of attempt counters. */
import { sql } from 'drizzle-orm';
import { index, integer, primaryKey, real, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { user } from '../user/tables.ts';

/**
 * Attempt counters: what is attempted (purpose), against which account or address (subject), and by
 * whom (scope: anybody, or one device or session with a counter of its own).
 */
export const attempt = sqliteTable(
  'attempt',
  {
    purpose: text().notNull(),
    /** A user id, or a keyed hash of a name or an address that has no account. */
    subject: text().notNull(),
    scopeKind: text('scope_kind', { enum: ['anybody', 'device', 'session'] }).notNull(),
    scopeId: text('scope_id').notNull(),
    /** The account that is protected; deleting it deletes its counters. */
    ownerUserId: text('owner_user_id').references(() => user.id, { onDelete: 'cascade' }),
    /** Consecutive failures; a success or an operator resets them (N5). */
    failures: integer().notNull(),
    /** Failures in the window, which drain over time. */
    recent: real().notNull(),
    lastAt: integer('last_at').notNull(),
    blockedUntil: integer('blocked_until').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.purpose, table.subject, table.scopeKind, table.scopeId] }),
    index('attempt_last_at').on(table.purpose, table.lastAt),
    index('attempt_owner').on(table.ownerUserId).where(sql`owner_user_id IS NOT NULL`),
  ],
);
