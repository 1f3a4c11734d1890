/** The tables of the audit log. */
import { sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import { blob, index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

const member = (path: string): SQL => sql.raw(`json_extract(data, '$.${path}')`);

/**
 * What happened, a row each, in the order of the commits. The columns for searches are computed from
 * `data`, whose hash is the leaf of the tree: a row that says two things can't be stored.
 */
export const auditEvent = sqliteTable(
  'audit_event',
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    /** The event as JSON; it has the hash of the salted personal part, never that part. */
    data: text().notNull(),
    /** Network address, user agent and name as JSON; null when erased, or when there are none. */
    personal: text(),
    salt: blob({ mode: 'buffer' }),
    id: text()
      .notNull()
      .generatedAlwaysAs(() => member('id'), { mode: 'virtual' }),
    at: integer()
      .notNull()
      .generatedAlwaysAs(() => member('at'), { mode: 'virtual' }),
    event: text()
      .notNull()
      .generatedAlwaysAs(() => member('event'), { mode: 'virtual' }),
    outcome: text()
      .notNull()
      .generatedAlwaysAs(() => member('outcome'), { mode: 'virtual' }),
    userId: text('user_id').generatedAlwaysAs(() => member('user'), { mode: 'virtual' }),
  },
  (table) => [
    index('audit_event_id').on(table.id),
    index('audit_event_event').on(table.event, table.seq),
    // Most succeed: those are all rows.
    index('audit_event_failure').on(table.seq).where(sql`outcome = 'failure'`),
    index('audit_event_user').on(table.userId, table.seq).where(sql`user_id IS NOT NULL`),
  ],
);

/** Trees over the rows that were sealed: the root is signed when it is asked for. */
export const auditCheckpoint = sqliteTable(
  'audit_checkpoint',
  {
    /** Rows of the tree, those that were pruned included. */
    size: integer().primaryKey(),
    /** The place of its last row. */
    lastSeq: integer('last_seq').notNull(),
    root: text().notNull(),
    /** What the next tree grows from. */
    frontier: text().notNull(),
    at: integer().notNull(),
  },
  (table) => [index('audit_checkpoint_at').on(table.at)],
);

/** One row: the tree over what was pruned. */
export const auditPruned = sqliteTable('audit_pruned', {
  id: integer().primaryKey(),
  size: integer().notNull(),
  lastSeq: integer('last_seq').notNull(),
  frontier: text().notNull(),
});
