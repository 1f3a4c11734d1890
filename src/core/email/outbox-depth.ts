/** How many emails are waiting or were given up, for the metrics. */
import { inArray, sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { prepare, query } from '../../db/prepare.ts';
import { outbox } from './tables.ts';

const depth = prepare(
  query
    .select({
      state: outbox.state,
      count: sql<number>`count(*)`,
      oldest: sql<number>`min(${outbox.createdAt})`,
    })
    .from(outbox)
    .where(inArray(outbox.state, ['pending', 'dead']))
    .groupBy(outbox.state),
);

export interface OutboxDepth {
  readonly pending: number;
  readonly dead: number;
  /** The age of the oldest waiting email. */
  readonly oldestAgeMs: number;
}

export async function outboxDepth(db: Pick<Database, 'read'>, now: number): Promise<OutboxDepth> {
  const rows = await db.read(depth());
  const pending = rows.find(({ state }) => state === 'pending');
  return {
    pending: pending?.count ?? 0,
    dead: rows.find(({ state }) => state === 'dead')?.count ?? 0,
    oldestAgeMs: pending === undefined ? 0 : Math.max(0, now - pending.oldest),
  };
}
