/** The tables by which text messages are limited. */
import { sql } from 'drizzle-orm';
import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core';

/**
 * Each message that the rules allowed, for a day: what they count. A message to nobody is here too,
 * so that the rules reveal nothing (E03). It has keyed hashes and a country, no number.
 */
export const smsMessage = sqliteTable(
  'sms_message',
  {
    /** That of the one-time row whose code it carries. */
    id: text().primaryKey(),
    kind: text({ enum: ['real', 'decoy'] }).notNull(),
    /** ISO 3166-1 alpha-2. */
    country: text().notNull(),
    /** Whether the rules of its country count it: a number that nobody has verified here. */
    isNew: integer('is_new').notNull(),
    numberKey: text('number_key').notNull(),
    /** A keyed hash of the user's id, which outlives the account; empty for nobody. */
    accountKey: text('account_key').notNull(),
    networkKey: text('network_key').notNull(),
    createdAt: integer('created_at').notNull(),
    /** When its code came back. */
    verifiedAt: integer('verified_at'),
    /** Numbers those that are sent, so that the limit of all reads a single row. */
    seq: integer(),
    /** The rule that denied it; only within the commit, which removes such a row. */
    denied: text(),
  },
  (table) => [
    index('sms_message_number').on(table.numberKey, table.createdAt),
    index('sms_message_account').on(table.accountKey, table.createdAt),
    index('sms_message_network').on(table.networkKey, table.createdAt),
    index('sms_message_country')
      .on(table.country, table.createdAt)
      .where(sql`is_new = 1 AND verified_at IS NULL`),
    index('sms_message_created').on(table.createdAt),
    uniqueIndex('sms_message_seq').on(table.seq),
  ],
);

/** How many codes of a country came back on a day (UTC). */
export const smsDay = sqliteTable(
  'sms_day',
  {
    country: text().notNull(),
    /** When the day began. */
    dayAt: integer('day_at').notNull(),
    verified: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.country, table.dayAt] }),
    index('sms_day_at').on(table.dayAt),
  ],
);
