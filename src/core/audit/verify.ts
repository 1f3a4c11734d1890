/**
 * Verifies the audit log: every row against the hash of its personal part, and the tree over the
 * rows against every stored checkpoint and a note that was kept elsewhere.
 */
import { hash } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import type { Checkpoint } from '../../crypto/checkpoint-note.ts';
import { checkpointsAfter, prunedTree } from './checkpoints.ts';
import type { StoredCheckpoint } from './checkpoints.ts';
import { auditAfter } from './read.ts';
import type { AuditRow } from './read.ts';
import { growTree, leafHash } from './tree.ts';

export interface Verified {
  /** Rows of the tree, those that were pruned included. */
  readonly size: number;
  readonly pruned: number;
  readonly checkpoints: number;
  /** Rows after the last checkpoint, which nothing proves yet. */
  readonly unsealed: number;
  /** Sentences about what is wrong; none if everything is right. */
  readonly faults: readonly string[];
}

export interface VerifyOptions {
  /** A checkpoint that was kept elsewhere, whose signature is right. */
  readonly since?: Checkpoint | undefined;
  readonly onRows?: (count: number) => void;
}

const PAGE = 2_000;
/** Checkpoints of one read. */
const AHEAD = 100;
/** UTF-8 has at most so many bytes for a character of a JavaScript text. */
const MOST_BYTES = 3;
const SCRATCH_BYTES = 8_192;
/** More would say nothing new: after the first, every root differs. */
const MAX_FAULTS = 10;

/** Whether the personal part is the one that was recorded; an erased one is no fault. */
function isOwnPart({ data, personal, salt }: AuditRow, scratch: Buffer): boolean {
  if (personal === null) return salt === null;
  if (salt === null) return false;
  const needed = salt.length + personal.length * MOST_BYTES;
  // A buffer for all rows: making two for each would take a tenth of the time.
  const bytes = needed <= scratch.length ? scratch : Buffer.alloc(needed);
  bytes.set(salt);
  const end = salt.length + bytes.write(personal, salt.length, 'utf8');
  const text = hash('sha256', bytes.subarray(0, end), 'base64url');
  return data.endsWith(`,"personal":"${text}"}`);
}

export async function verifyAudit(
  db: Pick<Database, 'read'>,
  { since, onRows }: VerifyOptions,
): Promise<Verified> {
  const pruned = await prunedTree(db);
  const tree = growTree(pruned.frontier);
  const faults: string[] = [];
  const scratch = Buffer.alloc(SCRATCH_BYTES);
  const fault = (sentence: string): void => {
    if (faults.length < MAX_FAULTS) faults.push(sentence);
  };
  let checkpoints = 0;
  let sealed = 0;
  let ahead: readonly StoredCheckpoint[] = await checkpointsAfter(db, tree.size - 1, AHEAD);

  /** The tree has as many rows as the next checkpoint, or as the note. */
  const compare = async (): Promise<void> => {
    if (since?.size === tree.size && !tree.root().equals(since.root))
      fault(`the rows up to number ${tree.size} are not those of the note`);
    const [next, ...rest] = ahead;
    if (next?.size !== tree.size) return;
    ahead = rest.length > 0 ? rest : await checkpointsAfter(db, tree.size, AHEAD);
    checkpoints++;
    sealed = tree.size;
    if (tree.root().toString('base64') === next.root) return;
    const time = new Date(next.at).toISOString();
    fault(`the rows up to number ${tree.size} are not those that were sealed at ${time}`);
  };

  let place = pruned.lastSeq;
  await compare();
  for (;;) {
    const rows = await auditAfter(db, place, PAGE);
    for (const row of rows) {
      tree.append(leafHash(row.data));
      if (!isOwnPart(row, scratch))
        fault(`the personal part of row ${row.seq} is not the recorded one`);
      if (ahead[0]?.size === tree.size || since?.size === tree.size) await compare();
    }
    place = rows.at(-1)?.seq ?? place;
    onRows?.(rows.length);
    if (rows.length < PAGE) break;
  }
  const [missing] = await checkpointsAfter(db, tree.size, 1);
  for (const sentence of endFaults(tree.size, pruned.frontier.size, { missing, since }))
    fault(sentence);
  return {
    size: tree.size,
    pruned: pruned.frontier.size,
    checkpoints,
    unsealed: tree.size - sealed,
    faults,
  };
}

/** What is wrong with the two ends of the log. */
function* endFaults(
  size: number,
  pruned: number,
  { missing, since }: { missing?: StoredCheckpoint | undefined; since?: Checkpoint | undefined },
): Iterable<string> {
  if (missing !== undefined)
    yield `${missing.size} rows were sealed, and there are ${size}: the last are missing`;
  if (since === undefined) return;
  if (since.size > size)
    yield `the note has ${since.size} rows, and there are ${size}: the last are missing`;
  if (since.size < pruned)
    yield 'the note is older than what is kept (audit.retention): take a younger one';
}
