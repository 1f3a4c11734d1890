import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createFairQueue } from '../../src/crypto/fair-queue.ts';

describe('the fair queue', () => {
  test('G5: accounts are served in turn, each in its own order', () => {
    const queue = createFairQueue<string>(10, 10);
    for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) queue.push(item[0] ?? '', item);
    expect(Array.from({ length: 7 }, () => queue.next())).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', undefined]);
  });

  test('G5: one account fills its share and no more; then the queue is full for all', () => {
    const queue = createFairQueue<number>(3, 2);
    expect([queue.push('a', 1), queue.push('a', 2)].every((place) => typeof place === 'object')).toBe(true);
    expect(queue.push('a', 3)).toBe('account_full');
    expect(queue.push('b', 4)).toBeTypeOf('object');
    expect(queue.push('c', 5)).toBe('queue_full');
    expect(queue.depth).toBe(3);
  });

  test('what is put in comes out once, unless removed; the depth is right at every step', () => {
    const step = fc.oneof(
      fc.record({ push: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ remove: fc.nat(20) }),
      fc.constant({ next: true } as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = createFairQueue<number>(8, 4);
        const places: { place: object; item: number }[] = [];
        const waiting = new Set<number>();
        let made = 0;
        for (const one of steps) {
          if ('push' in one) {
            const place = queue.push(one.push, ++made);
            if (typeof place === 'string') continue;
            waiting.add(made);
            places.push({ place, item: made });
          } else if ('remove' in one) {
            const chosen = places[one.remove];
            if (chosen === undefined) continue;
            for (const place of queue.byAge()) if (place === chosen.place) queue.remove(place);
            waiting.delete(chosen.item);
          } else {
            const item = queue.next();
            expect(item === undefined ? waiting.size === 0 : waiting.delete(item)).toBe(true);
          }
          expect(queue.depth).toBe(waiting.size);
          expect([...queue.byAge()].map(({ item }) => item)).toEqual([...waiting].toSorted((a, b) => a - b));
        }
      }),
    );
  });
});
