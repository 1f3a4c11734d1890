/** The table of badges: a factor that exists to show what a factor takes (docs/adding.md). */
import { sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { user } from '../../../src/core/user/tables.ts';

export const badge = sqliteTable('badge', {
  userId: text('user_id')
    .primaryKey()
    .references(() => user.id, { onDelete: 'cascade' }),
  numberHash: text('number_hash').notNull(),
});

/** What the generator would write. */
export const MIGRATION =
  'CREATE TABLE badge (user_id text PRIMARY KEY REFERENCES user(id) ON DELETE CASCADE, number_hash text NOT NULL)';
