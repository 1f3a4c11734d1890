/** The table of recovery codes. */
import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { user } from '../../core/user/tables.ts';

/**
 * Unused recovery codes. The first character of a code selects the row; the rest is stored as a
 * password hash (ASVS 6.5.2).
 */
export const recoveryCode = sqliteTable(
  'recovery_code',
  {
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    selector: text().notNull(),
    codeHash: text('code_hash').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.selector] })],
);
