/** The tables of sessions and revocations. */
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import type { PresentedFactor } from '../factor/presented.ts';
import { user } from '../user/tables.ts';

export const session = sqliteTable(
  'session',
  {
    id: text().primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    /** The generation of the live refresh token; rotation is one conditional statement on it. */
    generation: integer().notNull().default(0),
    rotatedAt: integer('rotated_at').notNull(),
    /** A hash of the network and user agent of the last rotation: only they get the grace. */
    rotatedBy: text('rotated_by'),
    authTime: integer('auth_time').notNull(),
    /**
     * Which factors were presented; `amr` and `acr` are derived from them when a token is minted.
     */
    factors: text({ mode: 'json' }).$type<readonly PresentedFactor[]>().notNull().default([]),
    createdAt: integer('created_at').notNull(),
    lastUsedAt: integer('last_used_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    endedAt: integer('ended_at'),
    endReason: text('end_reason'),
    ip: text(),
    userAgent: text('user_agent'),
    /** Its number in the status lists: assigned once, from `status_counter`, and never reused. */
    statusIndex: integer('status_index'),
  },
  (table) => [
    uniqueIndex('session_status_index').on(table.statusIndex),
    // Not a partial index: deleting a user looks for live and ended sessions.
    index('session_user').on(table.userId, table.endedAt, table.createdAt),
    index('session_expires_at').on(table.expiresAt),
    index('session_ended_at').on(table.endedAt).where(sql`ended_at IS NOT NULL`),
  ],
);

/**
 * Ended sessions, kept for as long as one of their access tokens could live. Other processes
 * continue from the last `seq` they saw.
 */
export const revocation = sqliteTable(
  'revocation',
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    sessionId: text('session_id').notNull(),
    statusIndex: integer('status_index'),
    expiresAt: integer('expires_at').notNull(),
  },
  (table) => [index('revocation_expires_at').on(table.expiresAt)],
);

/** One row: how many status list numbers were assigned. It never decreases. */
export const statusCounter = sqliteTable('status_counter', {
  id: integer().primaryKey(),
  next: integer().notNull(),
});
