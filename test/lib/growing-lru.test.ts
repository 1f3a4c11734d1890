import { expect, test } from 'vitest';
import { createGrowingLru } from '../../src/lib/growing-lru.ts';

test('it holds what it was given up to its maximum, however it grew', () => {
  const lru = createGrowingLru<number, string>(5_000);
  for (let n = 0; n < 5_000; n += 1) lru.set(n, `${n}`);
  expect(lru.size).toBe(5_000);
  for (let n = 0; n < 5_000; n += 1) expect(lru.get(n)).toBe(`${n}`);
});

test('what was used last stays, across growing, and the oldest goes', () => {
  const lru = createGrowingLru<number, string>(2_000);
  for (let n = 0; n < 1_024; n += 1) lru.set(n, 'first');
  expect(lru.get(0)).toBe('first');
  for (let n = 1_024; n < 2_001; n += 1) lru.set(n, 'then');
  expect(lru.size).toBe(2_000);
  expect([lru.get(0), lru.get(1), lru.get(2)]).toEqual(['first', undefined, 'first']);
});

test('an entry that is set again is one entry', () => {
  const lru = createGrowingLru<string, number>(2);
  for (const value of [1, 2, 3]) lru.set('a', value);
  lru.set('b', 1);
  expect([lru.size, lru.get('a'), lru.get('b')]).toEqual([2, 3, 1]);
});
