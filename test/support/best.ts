/**
 * What a piece of work costs, on a machine that does other things too: those only add, so that the
 * best of some tries counts, against what the same machine needs for a known piece of work.
 */
import { expect } from 'vitest';

/** The best time of some tries, in milliseconds. It stops as soon as it is below `enoughMs`. */
async function bestOf(work: () => unknown, enoughMs: number, tries = 30): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < tries && best >= enoughMs; i++) {
    const start = performance.now();
    await work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** How slow this machine is now, against one that does the same in a millisecond: at least 1. */
async function slowness(): Promise<number> {
  const text = JSON.stringify(Array.from({ length: 6_000 }, (_, i) => ({ a: i, b: `text ${i}` })));
  return Math.max(1, await bestOf(() => JSON.parse(text), 0, 15));
}

/** Expects that some work can be done within so many milliseconds; tries again while it is not. */
export async function expectWithin(
  milliseconds: number,
  work: () => unknown,
  what = '',
): Promise<void> {
  let [best, limit] = [Infinity, 0];
  for (let round = 0; round < 5 && best >= limit; round++) {
    limit = milliseconds * (await slowness());
    best = Math.min(best, await bestOf(work, limit));
  }
  expect(best, what).toBeLessThan(limit);
}
