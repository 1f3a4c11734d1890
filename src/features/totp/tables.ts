/** The table of authenticator apps. */
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { user } from '../../core/user/tables.ts';

/** TOTP authenticators: one per user, the seed sealed. */
export const totp = sqliteTable('totp', {
  userId: text('user_id')
    .primaryKey()
    .references(() => user.id, { onDelete: 'cascade' }),
  secretSealed: text('secret_sealed').notNull(),
  /**
   * The latest time step whose code was accepted; no step up to it is accepted again (RFC 6238
   * §5.2).
   */
  lastStep: integer('last_step').notNull(),
  createdAt: integer('created_at').notNull(),
  lastUsedAt: integer('last_used_at'),
});

/** An unconfirmed TOTP authenticator; it has no effect until it is confirmed. */
export const totpEnrolment = sqliteTable(
  'totp_enrolment',
  {
    userId: text('user_id')
      .primaryKey()
      .references(() => user.id, { onDelete: 'cascade' }),
    secretSealed: text('secret_sealed').notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
  },
  (table) => [index('totp_enrolment_expires_at').on(table.expiresAt)],
);
