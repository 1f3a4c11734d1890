/** The table of outgoing emails. */
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

/**
 * Emails to be sent, written in the commit that causes them. The content is sealed, because it
 * contains codes and links.
 */
export const outbox = sqliteTable(
  'outbox',
  {
    id: text().primaryKey(),
    /** Named `letter` in the database since its first version. */
    template: text('letter').notNull(),
    /** `decoy`: processed like a real email, but never sent. */
    kind: text({ enum: ['real', 'decoy'] })
      .notNull()
      .default('real'),
    /** The order of claiming; see `claim.ts`. */
    lane: integer().notNull().default(0),
    /** Emails that share one interval; empty when no limit counts it. */
    limitGroup: text('limit_group').notNull().default(''),
    /** The domain of the recipient: domains are served in turn. */
    domain: text().notNull().default('-'),
    /** The address as it was typed (G2); empty once the email is settled. */
    recipient: text().notNull(),
    /** A keyed hash of the canonical address, for the limits. */
    recipientKey: text('recipient_key').notNull(),
    /** A keyed hash of the requesting network; empty for notices, or when it is not known. */
    requesterKey: text('requester_key').notNull().default(''),
    /** Numbers the requested emails, so that checking the hourly budget reads a single row. */
    seq: integer(),
    payloadSealed: text('payload_sealed'),
    /** `void`: settled and never sent. */
    state: text({ enum: ['pending', 'sent', 'dead', 'expired', 'void'] }).notNull(),
    attempts: integer().notNull().default(0),
    /** When it may be claimed: the end of a wait, or of a lease. */
    nextAt: integer('next_at').notNull(),
    leasedUntil: integer('leased_until').notNull().default(0),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    /** When the row may be deleted. */
    purgeAt: integer('purge_at').notNull().default(0),
    settledAt: integer('settled_at'),
    lastError: text('last_error'),
  },
  (table) => [
    index('outbox_lane').on(table.lane, table.nextAt).where(sql`state = 'pending'`),
    index('outbox_turn').on(table.lane, table.domain, table.nextAt).where(sql`state = 'pending'`),
    /** For operators: given-up emails, and the number of waiting ones. */
    index('outbox_state').on(table.state, table.createdAt),
    index('outbox_expires_at').on(table.expiresAt).where(sql`state = 'pending'`),
    index('outbox_purge_at').on(table.purgeAt),
    index('outbox_recipient').on(table.recipientKey, table.limitGroup, table.createdAt),
    index('outbox_requester').on(table.requesterKey, table.createdAt).where(sql`seq IS NOT NULL`),
    uniqueIndex('outbox_seq').on(table.seq),
  ],
);
