/**
 * Seals the audit log: every minute, or after a thousand events, the tree grows over the new rows
 * and its root is stored and logged. A root that was kept elsewhere proves later that no row before
 * it was changed, removed, inserted or moved. Rows beyond their retention are pruned, and the tree
 * over them stays.
 */
import type { Database } from '../../db/database.ts';
import { NothingChanged } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { CheckpointKey } from '../../crypto/checkpoint-note.ts';
import { insertCheckpoint, latestCheckpoint, pruneTo, prunedTree } from './checkpoints.ts';
import type { PlacedTree } from './checkpoints.ts';
import { auditAfter, lastAudited, shownEvent } from './read.ts';
import { growTree, leafHash, readFrontier } from './tree.ts';

export interface SealDeps {
  readonly db: Pick<Database, 'read' | 'write'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  readonly key: CheckpointKey;
  /** How long rows are kept. */
  readonly retentionMs: number;
}

export interface Sealer {
  /** Seals what is new if it is time, and prunes what is old. */
  run(): Promise<void>;
  /** Seals what is new now. @returns whether there was anything */
  seal(): Promise<boolean>;
}

const SEAL_MS = 60_000;
const SEAL_EVENTS = 1_000;
/** Rows of one read: a few milliseconds of hashing. */
const PAGE = 500;
const PRUNE_MS = 600_000;

const turn = () => new Promise((resolve) => setImmediate(resolve));

export function createAuditSealer(deps: SealDeps): Sealer {
  const { db, clock, log, key, retentionMs } = deps;
  let sealedAt = clock.now();
  let prunedAt = 0;

  const base = async (): Promise<PlacedTree> => {
    const last = await latestCheckpoint(db);
    if (last === null) return prunedTree(db);
    return { frontier: readFrontier(last.size, last.frontier), lastSeq: last.lastSeq };
  };

  const seal = async (): Promise<boolean> => {
    const from = await base();
    const tree = growTree(from.frontier);
    let { lastSeq } = from;
    for (;;) {
      const rows = await auditAfter(db, lastSeq, PAGE);
      for (const { seq, data } of rows) {
        tree.append(leafHash(data));
        lastSeq = seq;
      }
      if (rows.length < PAGE) break;
      await turn();
    }
    sealedAt = clock.now();
    if (tree.size === from.frontier.size) return false;
    const root = tree.root();
    const placed = { frontier: tree.frontier(), lastSeq };
    const [[stored]] = await db.write([insertCheckpoint(placed, root, sealedAt)]);
    if (stored !== undefined)
      log.write('info', 'audit.sealed', 'the audit log was sealed', {
        count: tree.size,
        note: key.sign({ size: tree.size, root }),
      });
    return true;
  };

  /** Prunes a page of rows that are sealed and beyond their retention. @returns whether it did */
  const prunePage = async (sealed: number, before: number): Promise<boolean> => {
    const from = await prunedTree(db);
    const rows = await auditAfter(db, from.lastSeq, PAGE);
    const last = rows.findLast((row) => row.seq <= sealed && shownEvent(row).at < before);
    // Times may go back where a clock was set: what is between is as old as what is around it.
    if (last === undefined) return false;
    const tree = growTree(from.frontier);
    for (const { seq, data } of rows) if (seq <= last.seq) tree.append(leafHash(data));
    try {
      const placed = { frontier: tree.frontier(), lastSeq: last.seq };
      await db.write(pruneTo(from.frontier, placed));
      return true;
    } catch (error) {
      // Another process was faster.
      if (error instanceof NothingChanged) return false;
      throw error;
    }
  };

  const prune = async (): Promise<void> => {
    const sealed = (await latestCheckpoint(db))?.lastSeq ?? 0;
    const before = clock.now() - retentionMs;
    while (await prunePage(sealed, before)) await turn();
  };

  return {
    seal,
    run: async () => {
      const now = clock.now();
      const open = (await lastAudited(db)) - ((await latestCheckpoint(db))?.lastSeq ?? 0);
      const isDue = Math.abs(now - sealedAt) >= SEAL_MS;
      if (open > 0 && (isDue || open >= SEAL_EVENTS)) await seal();
      if (Math.abs(now - prunedAt) < PRUNE_MS) return;
      prunedAt = now;
      await prune();
    },
  };
}
