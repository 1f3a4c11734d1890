/** The order of indexes: a permutation of each list, of its own, and the same for ever. */
import { createSecretKey } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { StatusList } from '@sd-jwt/jwt-status-list';
import { describe, expect, test } from 'vitest';
import { LIST_SIZE, statusPlaces } from '../../src/core/token/status-index.ts';
import { compressStatusList } from '../../src/core/token/status-list.ts';

const place = statusPlaces(createSecretKey(Buffer.alloc(32, 7)));

describe('places', () => {
  test('each index of a list is given exactly once', () => {
    const seen = new Uint8Array(LIST_SIZE);
    for (let sequence = 0; sequence < LIST_SIZE; sequence++) {
      const { list, index } = place(sequence);
      if (list !== 0 || seen[index] !== 0) throw new Error(`${sequence} is at ${list}/${index}`);
      seen[index] = 1;
    }
    expect(seen.every((one) => one === 1)).toBe(true);
  });

  test('the next list has another order', () => {
    expect(place(LIST_SIZE).list).toBe(1);
    const same = Array.from({ length: 1_000 }, (_, i) => i).filter(
      (i) => place(i).index === place(LIST_SIZE + i).index,
    );
    expect(same.length).toBeLessThan(10);
  });

  test('an order is the key’s own, and the same after a restart', () => {
    const again = statusPlaces(createSecretKey(Buffer.alloc(32, 7)));
    const other = statusPlaces(createSecretKey(Buffer.alloc(32, 8)));
    const sequences = Array.from({ length: 100 }, (_, i) => i * 7_919);
    expect(sequences.map(again)).toEqual(sequences.map(place));
    expect(sequences.map(other)).not.toEqual(sequences.map(place));
  });

  test('is one of these today: a change would put living tokens at others’ bits', () => {
    expect([0, 1, 2, 1_000_000, LIST_SIZE + 5].map(place)).toMatchInlineSnapshot(`
      [
        {
          "index": 435407,
          "list": 0,
        },
        {
          "index": 38030,
          "list": 0,
        },
        {
          "index": 528900,
          "list": 0,
        },
        {
          "index": 10356,
          "list": 0,
        },
        {
          "index": 1016943,
          "list": 1,
        },
      ]
    `);
  });

  test('neighbours are far apart on average', () => {
    const distance = Array.from({ length: 5_000 }, (_, i) =>
      Math.abs(place(i).index - place(i + 1).index),
    ).reduce((sum, one) => sum + one, 0);
    // A third of the list, if they were independent.
    expect(distance / 5_000 / LIST_SIZE).toBeGreaterThan(0.3);
    expect(distance / 5_000 / LIST_SIZE).toBeLessThan(0.37);
  });
});

test('bits are packed from the least significant one', async () => {
  const bytes = inflateSync(Buffer.from(await compressStatusList([0, 9, 15]), 'base64url'));
  expect([bytes.length, bytes[0], bytes[1], bytes[2]]).toEqual([2 ** 17, 0b1, 0b10000010, 0]);
});

test('a list of many ended sessions, which is compressed in haste, reads the same', async () => {
  const ended = Array.from({ length: 5_000 }, (_, n) => (n * 48_271) % 2 ** 20);
  const lst = await compressStatusList(ended);
  const bytes = inflateSync(Buffer.from(lst, 'base64url'));
  expect(bytes.length).toBe(2 ** 17);
  const read = StatusList.decompressStatusList(lst, 1);
  const set = new Set(ended);
  for (let index = 0; index < 2 ** 20; index += 1)
    if ((read.getStatus(index) === 1) !== set.has(index)) throw new Error(`bit ${index}`);
});
