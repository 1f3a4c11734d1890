/** The table of answered challenges. */
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/** Challenges that were answered: how often, and whether an answer was correct. */
export const challenge = sqliteTable(
  'challenge',
  {
    id: text().primaryKey(),
    attempts: integer().notNull(),
    spentAt: integer('spent_at'),
    expiresAt: integer('expires_at').notNull(),
  },
  (table) => [index('challenge_expires_at').on(table.expiresAt)],
);
