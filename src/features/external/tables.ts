/** The tables of identities at outside providers, and of sign-ins there that have begun. */
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import { user } from '../../core/user/tables.ts';

/**
 * An identity is known by issuer and subject, never by its address (ASVS 6.8.1). A user has at most
 * one of each provider.
 */
export const externalIdentity = sqliteTable(
  'external_identity',
  {
    id: text().primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    /** The name of the provider's section. */
    provider: text().notNull(),
    issuer: text().notNull(),
    subject: text().notNull(),
    /** The address that the provider named when it was linked, for the user to recognise it. */
    email: text(),
    createdAt: integer('created_at').notNull(),
    lastUsedAt: integer('last_used_at'),
  },
  (table) => [
    uniqueIndex('external_identity_subject').on(table.issuer, table.subject),
    uniqueIndex('external_identity_user').on(table.userId, table.provider),
  ],
);

/** A sign-in with a code, from its begin until the code comes back. */
export const externalFlow = sqliteTable(
  'external_flow',
  {
    /** SHA-256 of the handle (256 random bits) that the page keeps. */
    id: text().primaryKey(),
    /** The name of the provider's section. */
    provider: text().notNull(),
    redirectUri: text('redirect_uri').notNull(),
    expiresAt: integer('expires_at').notNull(),
    spentAt: integer('spent_at'),
  },
  (table) => [index('external_flow_expires_at').on(table.expiresAt)],
);
