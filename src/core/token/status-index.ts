/**
 * The index of a session in the status lists. Sessions are numbered as they begin; each list takes
 * 2^20 of them, in an order that only this service knows: a keyed permutation. So an index is
 * assigned once, reveals nothing about neighbours or the number of sessions, and needs no search
 * for a free one.
 */
import { createHmac } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';

const HALF_BITS = 10;
const HALF = 1 << HALF_BITS;
const ROUNDS = 8;

/** Entries of one list. */
export const LIST_SIZE = HALF * HALF;

export interface StatusPosition {
  readonly list: number;
  readonly index: number;
}

export type PlaceInStatusList = (sequence: number) => StatusPosition;

/** Lists whose tables are cached; live tokens are in the last few. */
const KEPT_TABLES = 16;

const BYTES_OF_BLOCK = 32;

/**
 * A Feistel network of eight rounds, whose round functions are tables of a keyed hash: of the
 * list's number, under a key that survives every rotation.
 */
export function statusPlaces(derivedKey: KeyObject): PlaceInStatusList {
  const kept = new LRUCache<number, Uint16Array>({ max: KEPT_TABLES });
  const tableOf = (list: number): Uint16Array => {
    const known = kept.get(list);
    if (known !== undefined) return known;
    const block = (n: number): Buffer =>
      createHmac('sha256', derivedKey).update(`postern status list\n${list}\n${n}`).digest();
    const blocks = (ROUNDS * HALF * 2) / BYTES_OF_BLOCK;
    const bytes = Buffer.concat(Array.from({ length: blocks }, (_, n) => block(n)));
    const table = new Uint16Array(ROUNDS * HALF);
    for (let at = 0; at < table.length; at++) table[at] = bytes.readUInt16LE(2 * at) & (HALF - 1);
    kept.set(list, table);
    return table;
  };
  return (sequence) => {
    const list = Math.floor(sequence / LIST_SIZE);
    const table = tableOf(list);
    const within = sequence % LIST_SIZE;
    let left = within >> HALF_BITS;
    let right = within & (HALF - 1);
    for (let round = 0; round < ROUNDS; round++) {
      const mixed = left ^ (table[round * HALF + right] ?? 0);
      left = right;
      right = mixed;
    }
    return { list, index: (left << HALF_BITS) | right };
  };
}
