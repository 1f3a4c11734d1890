/** The tree against the vectors of RFC 6962's reference implementation, and a naive one. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  frontierText,
  growTree,
  inclusionPath,
  leafHash,
  nodeHash,
  readFrontier,
} from '../../src/core/audit/tree.ts';

const sha256 = (...parts: readonly Uint8Array[]) =>
  createHash('sha256').update(Buffer.concat(parts)).digest();

/** MTH of RFC 6962 §2.1, word by word. */
function naive(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return sha256();
  const [first] = leaves;
  if (leaves.length === 1 && first !== undefined) return sha256(Buffer.of(0), first);
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Buffer.of(1), naive(leaves.slice(0, k)), naive(leaves.slice(k)));
}

/** Checks a path as RFC 9162 §2.1.3.2 does. */
function follows(leaf: Buffer, index: number, size: number, path: readonly Uint8Array[]): Buffer {
  let [fn, sn, root] = [index, size - 1, leaf];
  for (const node of path) {
    if (fn % 2 === 1 || fn === sn) {
      root = nodeHash(node, root);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1];
    } else root = nodeHash(root, node);
    [fn, sn] = [fn >> 1, sn >> 1];
  }
  return root;
}

const data = Array.from({ length: 70 }, (_, at) => `event ${at}`);
const leaves = data.map(leafHash);
const rootOfFirst = (count: number) => naive(data.slice(0, count).map((text) => Buffer.from(text)));

describe('the root', () => {
  /** Inputs and roots of certificate-transparency's merkletree tests. */
  const INPUTS = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ];
  const ROOTS = [
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ];

  test('is that of the reference implementation', () => {
    const tree = growTree();
    expect(tree.root().toString('hex')).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    INPUTS.forEach((input, at) => {
      tree.append(leafHash(Buffer.from(input, 'hex').toString('latin1')));
      expect(tree.root().toString('hex')).toBe(ROOTS[at]);
    });
  });

  test('is that of the definition at every size, also grown from a frontier that was stored', () => {
    let tree = growTree();
    leaves.forEach((leaf, at) => {
      const { size } = tree.frontier();
      tree = growTree(readFrontier(size, frontierText(tree.frontier())));
      tree.append(leaf);
      expect(tree.root()).toEqual(rootOfFirst(at + 1));
    });
  });

  test('a frontier of another size is refused', () => {
    const tree = growTree();
    leaves.slice(0, 5).forEach((leaf) => tree.append(leaf));
    const text = frontierText(tree.frontier());
    expect(() => readFrontier(7, text)).toThrow('no frontier');
    expect(() => readFrontier(5, text.slice(4))).toThrow('no frontier');
  });
});

describe('a path', () => {
  test('leads from every leaf to the root, at every size, with any prefix pruned', () => {
    for (const size of [1, 2, 3, 7, 8, 13, 32, 70]) {
      for (const kept of [0, 1, 5, 6, size - 1]) {
        const tree = growTree();
        leaves.slice(0, kept).forEach((leaf) => tree.append(leaf));
        const leaf = (index: number) => {
          if (index < kept) throw new Error('it was pruned');
          return leaves[index] ?? Buffer.alloc(0);
        };
        for (let index = kept; index < size; index++) {
          const path = inclusionPath({ pruned: tree.frontier(), leaf }, index, size);
          expect(follows(leaf(index), index, size, path)).toEqual(rootOfFirst(size));
        }
      }
    }
  });
});
