/** The table of outgoing emails. */
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/**
 * Emails to be sent, written in the commit that they tell of. The content is sealed, because it
 * contains codes and links.
 */
export const outbox = sqliteTable(
  'outbox',
  {
    id: text().primaryKey(),
    /** Named `letter` in the database since its first version. */
    template: text('letter').notNull(),
    /** Emails that share one interval: the same group for all that answer one kind of request. */
    limitGroup: text('limit_group').notNull().default(''),
    /** The address as it was typed; email is always sent there (G2). */
    recipient: text().notNull(),
    /** A keyed hash of the canonical address, for the limits. */
    recipientKey: text('recipient_key').notNull(),
    payloadSealed: text('payload_sealed'),
    /** `void`: counted against the limits but never sent, for an address without an account. */
    state: text({ enum: ['pending', 'sent', 'dead', 'expired', 'void'] }).notNull(),
    attempts: integer().notNull().default(0),
    nextAt: integer('next_at').notNull(),
    leasedUntil: integer('leased_until').notNull().default(0),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    settledAt: integer('settled_at'),
    lastError: text('last_error'),
  },
  (table) => [
    index('outbox_due').on(table.state, table.nextAt),
    index('outbox_created_at').on(table.createdAt),
    index('outbox_recipient').on(table.recipientKey, table.createdAt),
  ],
);
