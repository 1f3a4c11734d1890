/** The stored trees over the audit log. */
import { asc, desc, eq, gt, lte, sql } from 'drizzle-orm';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query, raw } from '../../db/prepare.ts';
import { guarded } from '../guards.ts';
import type { Sweep } from '../sweep.ts';
import { auditCheckpoint, auditEvent, auditPruned } from './tables.ts';
import { EMPTY_FRONTIER, frontierText, readFrontier } from './tree.ts';
import type { Frontier } from './tree.ts';

type Reader = Pick<Database, 'read'>;

export type StoredCheckpoint = Readonly<typeof auditCheckpoint.$inferSelect>;

/** A tree, and the place of its last row. */
export interface PlacedTree {
  readonly frontier: Frontier;
  readonly lastSeq: number;
}

const latest = prepare(
  query
    .select()
    .from(auditCheckpoint)
    .where(gt(auditCheckpoint.size, 0))
    .orderBy(desc(auditCheckpoint.size))
    .limit(1),
);

export async function latestCheckpoint(db: Reader): Promise<StoredCheckpoint | null> {
  return (await db.read(latest()))[0] ?? null;
}

const following = prepare(
  query
    .select()
    .from(auditCheckpoint)
    .where(gt(auditCheckpoint.size, given('size')))
    .orderBy(asc(auditCheckpoint.size))
    .limit(sql.placeholder('limit')),
);

/** Checkpoints of more rows than `size`, the smallest first. */
export async function checkpointsAfter(
  db: Reader,
  size: number,
  limit: number,
): Promise<readonly StoredCheckpoint[]> {
  return db.read(following({ size, limit }));
}

const insert = prepare(
  query
    .insert(auditCheckpoint)
    .values({
      size: sql.placeholder('size'),
      lastSeq: sql.placeholder('lastSeq'),
      root: sql.placeholder('root'),
      frontier: sql.placeholder('frontier'),
      at: sql.placeholder('at'),
    })
    .onConflictDoNothing()
    .returning({ size: auditCheckpoint.size }),
);

/** The statement that stores a tree; no row if another process stored one of this size. */
export function insertCheckpoint(
  { frontier, lastSeq }: PlacedTree,
  root: Uint8Array,
  at: number,
): Statement<{ readonly size: number }> {
  return insert({
    size: frontier.size,
    lastSeq,
    root: Buffer.from(root).toString('base64'),
    frontier: frontierText(frontier),
    at,
  });
}

const pruned = prepare(query.select().from(auditPruned).where(eq(auditPruned.id, 1)).limit(1));

/** The tree over what was pruned; the empty one if nothing was. */
export async function prunedTree(db: Reader): Promise<PlacedTree> {
  const [row] = await db.read(pruned());
  if (row === undefined) return { frontier: EMPTY_FRONTIER, lastSeq: 0 };
  return { frontier: readFrontier(row.size, row.frontier), lastSeq: row.lastSeq };
}

const values = {
  size: sql.placeholder('size'),
  lastSeq: sql.placeholder('lastSeq'),
  frontier: sql.placeholder('frontier'),
};
const begin = prepare(
  query
    .insert(auditPruned)
    .values({ id: 1, ...values })
    .onConflictDoUpdate({
      target: auditPruned.id,
      set: {
        size: sql`excluded.size`,
        lastSeq: sql`excluded.last_seq`,
        frontier: sql`excluded.frontier`,
      },
      setWhere: eq(auditPruned.size, given('before')),
    }),
);
const remove = prepare(query.delete(auditEvent).where(lte(auditEvent.seq, given('lastSeq'))));

/** The statements that prune rows; nothing changes if another process has pruned since. */
export function pruneTo(before: Frontier, { frontier, lastSeq }: PlacedTree): readonly Statement[] {
  const text = frontierText(frontier);
  return [
    guarded(
      begin({ size: frontier.size, lastSeq, frontier: text, before: before.size }),
      'conflict',
    ),
    remove({ lastSeq }),
  ];
}

const DAY_MS = 86_400_000;

/** All but the last checkpoint of each day; beyond that, one a minute would fill the disk. */
// By hand: drizzle names no table in a select of one, so that it can't compare it with itself.
export const checkpointSweep: Sweep = raw<{ readonly size: number }>(
  `DELETE FROM "audit_checkpoint" WHERE "size" IN (
    SELECT "one"."size" FROM "audit_checkpoint" AS "one"
    WHERE "one"."at" <= :before AND EXISTS (
      SELECT 1 FROM "audit_checkpoint" AS "later"
      WHERE "later"."at" > "one"."at" AND "later"."at" < ("one"."at" / ${DAY_MS} + 1) * ${DAY_MS}
    ) LIMIT :batch
  ) RETURNING "size"`,
  ['size'],
);

/** How long every checkpoint is kept. */
export const CHECKPOINTS_KEPT_MS = 7 * DAY_MS;
