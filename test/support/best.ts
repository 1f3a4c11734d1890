/**
 * The best time of some tries, in milliseconds: what a piece of work takes, for what else a machine
 * does only adds. It stops as soon as it is below `enoughMs`.
 */
export function bestOf(work: () => void, enoughMs: number, tries = 30): number {
  let best = Infinity;
  for (let i = 0; i < tries && best >= enoughMs; i++) {
    const start = performance.now();
    work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** How slow this machine is now, against one that does the same in a millisecond: at least 1. */
export function slowness(): number {
  const text = JSON.stringify(Array.from({ length: 6_000 }, (_, i) => ({ a: i, b: `text ${i}` })));
  return Math.max(
    1,
    bestOf(() => void JSON.parse(text), 0, 15),
  );
}
