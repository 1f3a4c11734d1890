/** Reads that many ask for at once. */
import { expect, test } from 'vitest';
import { coalesce } from '../../src/lib/coalesce.ts';

/** A read that answers with its number when it is let go. */
function gated(): { read: () => Promise<number>; release: (fault?: Error) => void } {
  const waiting: ((fault?: Error) => void)[] = [];
  let begun = 0;
  return {
    read: () => {
      const number = ++begun;
      return new Promise((resolve, reject) => {
        waiting.push((fault) => (fault === undefined ? resolve(number) : reject(fault)));
      });
    },
    release: (fault) => waiting.shift()?.(fault),
  };
}

/** Until every promise that is settled was heard of. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('one runs at a time, and nobody gets what was begun before they asked', async () => {
  const { read, release } = gated();
  const ask = coalesce(read);
  const [first, ...rest] = [ask(), ask(), ask()];
  release();
  expect(await first).toBe(1);
  await turn();
  const late = ask();
  release();
  expect(await Promise.all(rest)).toEqual([2, 2]);
  await turn();
  release();
  expect(await late).toBe(3);
});

test('a read that fails fails those who shared it, and nobody after', async () => {
  const { read, release } = gated();
  const ask = coalesce(read);
  const first = ask();
  const second = ask();
  release(new Error('gone'));
  await expect(first).rejects.toThrow('gone');
  await turn();
  release();
  expect(await second).toBe(2);
  const third = ask();
  release();
  expect(await third).toBe(3);
});
