/** The tables of password hashes. */
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { user } from '../user/tables.ts';

export const passwordCredential = sqliteTable('password_credential', {
  userId: text('user_id')
    .primaryKey()
    .references(() => user.id, { onDelete: 'cascade' }),
  passwordHash: text('password_hash').notNull(),
  /** The version of the normalisation before hashing (N2), in case the rule changes. */
  normalization: text().notNull().default('NFC'),
  changedAt: integer('changed_at').notNull(),
});

/** Former password hashes, as many as `password.history` keeps. */
export const passwordHistory = sqliteTable(
  'password_history',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    passwordHash: text('password_hash').notNull(),
    replacedAt: integer('replaced_at').notNull(),
  },
  (table) => [index('password_history_user').on(table.userId, table.id)],
);
