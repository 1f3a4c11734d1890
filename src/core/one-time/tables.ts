/** The table of one-time codes and links. */
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import { user } from '../user/tables.ts';

/**
 * One-time codes and links of every purpose. Spent is a state, not a time, so that setting the
 * clock back can't make one usable again (G11). Secrets are stored as hashes only.
 */
export const oneTime = sqliteTable(
  'one_time',
  {
    id: text().primaryKey(),
    purpose: text({
      enum: [
        'registration',
        'email_verification',
        'password_reset',
        'sign_in',
        'phone_verification',
      ],
    }).notNull(),
    /** Its user; null while there is no account yet. */
    userId: text('user_id').references(() => user.id, { onDelete: 'cascade' }),
    /** The canonical address or number that it verifies. */
    subject: text(),
    /** SHA-256 of the link's token (256 random bits). */
    tokenHash: text('token_hash'),
    /** A password hash of the typed code (ASVS 6.5.2). */
    codeHash: text('code_hash'),
    attempts: integer().notNull().default(0),
    /** Sealed data that the purpose needs later. */
    payloadSealed: text('payload_sealed'),
    createdAt: integer('created_at').notNull(),
    /** When the code expires; the link lives until expires_at. */
    codeExpiresAt: integer('code_expires_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    spentAt: integer('spent_at'),
  },
  (table) => [
    uniqueIndex('one_time_token_hash').on(table.tokenHash),
    index('one_time_user').on(table.userId, table.purpose),
    index('one_time_expires_at').on(table.expiresAt),
    index('one_time_pending_registration')
      .on(table.expiresAt)
      .where(sql`purpose = 'registration' AND spent_at IS NULL`),
    index('one_time_sign_in')
      .on(table.subject, table.createdAt)
      .where(sql`purpose = 'sign_in' AND spent_at IS NULL AND code_hash IS NOT NULL`),
  ],
);
