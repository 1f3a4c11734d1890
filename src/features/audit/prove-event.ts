/** Proving that an event is in the log: what somebody else needs to check it by a kept note. */
import { createCheckpointKey } from '../../crypto/checkpoint-note.ts';
import { latestCheckpoint, prunedTree } from '../../core/audit/checkpoints.ts';
import { auditAfter, findAudited } from '../../core/audit/read.ts';
import { inclusionPath, leafHash } from '../../core/audit/tree.ts';
import type { Kernel } from '../../core/kernel.ts';
import type { SigningKeys } from '../../core/signing-key/signing-key.ts';

export type Proof =
  | { readonly kind: 'unknown' | 'unsealed' }
  | {
      readonly kind: 'proof';
      /** The bytes of the event, as they were hashed. */
      readonly data: string;
      /** Its number, from 0. */
      readonly index: number;
      /** Base64, from the leaf to the root. */
      readonly path: readonly string[];
      /** The signed checkpoint that the path leads to. */
      readonly note: string;
    };

const PAGE = 2_000;

/** Hashes as many rows as the log has. */
export async function proveEvent(
  db: Kernel['db'],
  keys: Pick<SigningKeys, 'derivedKey'>,
  { issuer, id }: { readonly issuer: string; readonly id: string },
): Promise<Proof> {
  const found = await findAudited(db, id);
  if (found === null) return { kind: 'unknown' };
  const checkpoint = await latestCheckpoint(db);
  if (checkpoint === null || found.seq > checkpoint.lastSeq) return { kind: 'unsealed' };
  const pruned = await prunedTree(db);
  const leaves: Buffer[] = [];
  let index = -1;
  let place = pruned.lastSeq;
  for (;;) {
    const rows = await auditAfter(db, place, PAGE);
    for (const { seq, data } of rows) {
      if (seq === found.seq) index = pruned.frontier.size + leaves.length;
      leaves.push(leafHash(data));
    }
    place = rows.at(-1)?.seq ?? place;
    if (rows.length < PAGE || place >= checkpoint.lastSeq) break;
  }
  const leaf = (at: number): Buffer => leaves[at - pruned.frontier.size] ?? Buffer.alloc(0);
  const path = inclusionPath({ pruned: pruned.frontier, leaf }, index, checkpoint.size);
  const root = Buffer.from(checkpoint.root, 'base64');
  return {
    kind: 'proof',
    data: found.data,
    index,
    path: path.map((node) => Buffer.from(node).toString('base64')),
    note: createCheckpointKey(keys.derivedKey, issuer).sign({ size: checkpoint.size, root }),
  };
}
