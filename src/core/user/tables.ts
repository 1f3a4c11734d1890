/** The table of users. */
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import type { JsonObject } from '../../lib/json.ts';

/**
 * Users. Times are integer milliseconds; canonical names are UNIQUE. Tables are storage shapes and
 * never API shapes.
 */
export const user = sqliteTable(
  'user',
  {
    id: text().primaryKey(),
    username: text(),
    /** NFKC and case folding: names with the same canonical form are the same name. */
    usernameCanonical: text('username_canonical'),
    /**
     * The verified address. An unverified one is in pending_email, where it reserves nothing (G10).
     */
    email: text(),
    emailCanonical: text('email_canonical'),
    pendingEmail: text('pending_email'),
    pendingEmailCanonical: text('pending_email_canonical'),
    /** The verified number (E.164). */
    phone: text(),
    /** A number that is not verified yet: it reserves nothing, like an address. */
    pendingPhone: text('pending_phone'),
    /** What another system calls the account: imports and syncs find it again by this. */
    externalId: text('external_id'),
    displayName: text('display_name'),
    userMetadata: text('user_metadata', { mode: 'json' }).$type<JsonObject>().notNull().default({}),
    /** Claims that an administrator adds to the user's access tokens. */
    claims: text({ mode: 'json' }).$type<JsonObject>().notNull().default({}),
    /**
     * Incremented by every change that must void what was begun before it: password, factors,
     * disabling.
     */
    epoch: integer().notNull().default(0),
    disabledAt: integer('disabled_at'),
    /** Since when the user must change the password; null if there is no such demand. */
    passwordChangeRequiredAt: integer('password_change_required_at'),
    /** If a second factor is required for everyone: the deadline for enrolling one. */
    mfaDueAt: integer('mfa_due_at'),
    /** Since when nobody can sign in to it but by its first session; null for other accounts. */
    anonymousAt: integer('anonymous_at'),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [
    uniqueIndex('user_username_canonical').on(table.usernameCanonical),
    uniqueIndex('user_email_canonical').on(table.emailCanonical),
    index('user_pending_email').on(table.pendingEmailCanonical),
    uniqueIndex('user_phone').on(table.phone),
    uniqueIndex('user_external_id').on(table.externalId),
    index('user_anonymous').on(table.anonymousAt).where(sql`anonymous_at IS NOT NULL`),
    index('user_disabled').on(table.id).where(sql`disabled_at IS NOT NULL`),
  ],
);
