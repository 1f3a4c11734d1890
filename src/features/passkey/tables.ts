/** The table of passkeys. */
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import { user } from '../../core/user/tables.ts';

/**
 * Passkeys (WebAuthn L3 §4 "credential record"). A credential id belongs to one account (§7.1 step
 * 26).
 */
export const passkey = sqliteTable(
  'passkey',
  {
    id: text().primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    /** base64url */
    credentialId: text('credential_id').notNull(),
    /** COSE key, base64url */
    publicKey: text('public_key').notNull(),
    /** What the authenticator calls the user, base64url; null for the bytes of the user's id. */
    userHandle: text('user_handle'),
    /** Signature counter; changed only by one conditional statement. */
    counter: integer().notNull(),
    transports: text({ mode: 'json' }).$type<string[]>().notNull(),
    name: text().notNull(),
    aaguid: text().notNull(),
    backupEligible: integer('backup_eligible').notNull(),
    backedUp: integer('backed_up').notNull(),
    createdAt: integer('created_at').notNull(),
    lastUsedAt: integer('last_used_at'),
    /** When a counter value was repeated: the authenticator may have been cloned. */
    cloneSuspectedAt: integer('clone_suspected_at'),
  },
  (table) => [
    uniqueIndex('passkey_credential_id').on(table.credentialId),
    index('passkey_user').on(table.userId),
  ],
);
