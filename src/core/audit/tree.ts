/**
 * The hash tree over the rows of the audit log: append-only, as in Certificate Transparency. What is
 * kept of a tree is its frontier, the roots of its complete subtrees from left to right.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1
 */
import { hash } from 'node:crypto';

const HASH_BYTES = 32;
const NODE = 1;

/** SHA-256 of 0x00 and the text. */
export function leafHash(data: string): Buffer {
  return hash('sha256', `\u0000${data}`, 'buffer');
}

/**
 * SHA-256 of 0x01 and both hashes.
 *
 * @param bytes room for them, which a caller with many can use again
 */
export function nodeHash(
  left: Uint8Array,
  right: Uint8Array,
  bytes: Buffer = Buffer.allocUnsafe(1 + 2 * HASH_BYTES),
): Buffer {
  bytes[0] = NODE;
  bytes.set(left, 1);
  bytes.set(right, 1 + HASH_BYTES);
  return hash('sha256', bytes, 'buffer');
}

/** The root of the empty tree. */
const EMPTY = hash('sha256', '', 'buffer');

export interface Frontier {
  /** Leaves of the tree. */
  readonly size: number;
  /** Roots of the complete subtrees, the largest first: one for each bit of the size. */
  readonly roots: readonly Uint8Array[];
}

export const EMPTY_FRONTIER: Frontier = { size: 0, roots: [] };

/** A tree that grows by its right edge. */
export interface GrowingTree {
  readonly size: number;
  append(leaf: Uint8Array): void;
  root(): Buffer;
  frontier(): Frontier;
}

export function growTree(from: Frontier = EMPTY_FRONTIER): GrowingTree {
  let { size } = from;
  const roots = [...from.roots];
  const bytes = Buffer.alloc(1 + 2 * HASH_BYTES);
  return {
    get size() {
      return size;
    },
    append: (leaf) => {
      let node = leaf;
      // Two subtrees of one size become one, as long as there are two.
      for (let bits = size; bits % 2 === 1; bits = (bits - 1) / 2)
        node = nodeHash(roots.pop() ?? EMPTY, node, bytes);
      roots.push(node);
      size++;
    },
    root: () => rootOf({ size, roots }),
    frontier: () => ({ size, roots: [...roots] }),
  };
}

function rootOf({ roots }: Frontier): Buffer {
  const [last = EMPTY, ...before] = roots.toReversed();
  return Buffer.from(before.reduce((right, left) => nodeHash(left, right), last));
}

export function frontierText({ roots }: Frontier): string {
  return Buffer.concat(roots).toString('base64');
}

/** @throws {Error} the text is not that of a tree of this size */
export function readFrontier(size: number, text: string): Frontier {
  const bytes = Buffer.from(text, 'base64');
  const roots = Array.from({ length: bytes.length / HASH_BYTES }, (_, at) =>
    bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  );
  let bits = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2;
  if (bytes.length % HASH_BYTES !== 0 || roots.length !== bits)
    throw new Error(`no frontier of a tree of ${size}`);
  return { size, roots };
}

/** The largest power of two that is smaller than a number. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

/** The leaves of a tree: those of the frontier are only known as its roots. */
export interface KnownLeaves {
  readonly pruned: Frontier;
  /** A leaf that is not pruned. */
  leaf(index: number): Uint8Array;
}

function subtree(known: KnownLeaves, from: number, size: number): Uint8Array {
  if (from + size <= known.pruned.size) return prunedRoot(known.pruned, from, size);
  if (size === 1) return known.leaf(from);
  const split = splitOf(size);
  return nodeHash(subtree(known, from, split), subtree(known, from + split, size - split));
}

/** A complete subtree of the frontier. @throws {Error} it is none */
function prunedRoot({ size, roots }: Frontier, from: number, wanted: number): Uint8Array {
  let at = 0;
  for (const root of roots) {
    let width = 1;
    while (width * 2 <= size - at) width *= 2;
    if (at === from && width === wanted) return root;
    at += width;
  }
  throw new Error('a hash is needed that was pruned');
}

/**
 * The audit path of a leaf in a tree of `size` leaves, from the leaf to the root.
 *
 * @throws {Error} the leaf was pruned
 */
export function inclusionPath(known: KnownLeaves, index: number, size: number): Uint8Array[] {
  const path: Uint8Array[] = [];
  let from = 0;
  let width = size;
  while (width > 1) {
    const split = splitOf(width);
    if (index < from + split) {
      path.push(subtree(known, from + split, width - split));
      width = split;
    } else {
      path.push(subtree(known, from, split));
      from += split;
      width -= split;
    }
  }
  return path.reverse();
}
