/** The tables of event streams: how far each has come, and what a receiver refused. */
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/** A stream of the configuration; its place is kept while it is not configured. */
export const eventStream = sqliteTable('event_stream', {
  name: text().primaryKey(),
  /** Everything up to this `seq` of the audit log was delivered, or is none of its events. */
  cursor: integer().notNull(),
  /** Which process pushes now, and until when nobody else does. */
  leaseOwner: text('lease_owner'),
  leaseUntil: integer('lease_until').notNull().default(0),
});

/** Events behind the cursor of a polled stream that were acknowledged out of order. */
export const eventAck = sqliteTable(
  'event_ack',
  {
    stream: text().notNull(),
    seq: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.stream, table.seq] })],
);

/** Events that a receiver refused, or that could not be delivered for too long. */
export const eventDeadLetter = sqliteTable(
  'event_dead_letter',
  {
    stream: text().notNull(),
    seq: integer().notNull(),
    /** The `jti`. */
    eventId: text('event_id').notNull(),
    event: text().notNull(),
    error: text().notNull(),
    failedAt: integer('failed_at').notNull(),
    /** Since when an operator wants it sent again; null if nobody does. */
    retryAt: integer('retry_at'),
  },
  (table) => [
    primaryKey({ columns: [table.stream, table.seq] }),
    index('event_dead_letter_failed_at').on(table.failedAt),
    index('event_dead_letter_event').on(table.eventId),
  ],
);
