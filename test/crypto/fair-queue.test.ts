import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createFairQueue } from '../../src/crypto/fair-queue.ts';

const never = (): never => {
  throw new Error('nobody was to make room');
};

describe('the fair queue', () => {
  test('G5: accounts are served in turn, each in its own order', () => {
    const queue = createFairQueue<string>(10, 10);
    for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2'])
      queue.push({ client: 'here', account: item[0] ?? '' }, item, never);
    expect(Array.from({ length: 7 }, () => queue.next())).toEqual([
      'a1',
      'b1',
      'c1',
      'a2',
      'b2',
      'a3',
      undefined,
    ]);
  });

  test('G5: one account fills its share and no more; then the queue is full for all', () => {
    const queue = createFairQueue<number>(3, 2);
    expect(
      [
        queue.push({ client: 'here', account: 'a' }, 1, never),
        queue.push({ client: 'here', account: 'a' }, 2, never),
      ].every((place) => typeof place === 'object'),
    ).toBe(true);
    expect(queue.push({ client: 'here', account: 'a' }, 3, never)).toBe('account_full');
    expect(queue.push({ client: 'here', account: 'b' }, 4, never)).toBeTypeOf('object');
    expect(queue.push({ client: 'here', account: 'c' }, 5, never)).toBe('queue_full');
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
        const push = (name: string): void => {
          const place = queue.push({ client: 'here', account: name }, ++made, never);
          if (typeof place === 'string') return;
          waiting.add(made);
          places.push({ place, item: made });
        };
        const remove = (chosen: { place: object; item: number } | undefined): void => {
          if (chosen === undefined) return;
          for (const place of queue.byAge()) if (place === chosen.place) queue.remove(place);
          waiting.delete(chosen.item);
        };
        const next = (): void => {
          const item = queue.next();
          expect(item === undefined ? waiting.size === 0 : waiting.delete(item)).toBe(true);
        };
        for (const one of steps) {
          if ('push' in one) push(one.push);
          else if ('remove' in one) remove(places[one.remove]);
          else next();
          expect(queue.depth).toBe(waiting.size);
          expect([...queue.byAge()].map(({ item }) => item)).toEqual(
            [...waiting].toSorted((a, b) => a - b),
          );
        }
      }),
    );
  });

  test('clients are served in turn, however many names one of them tries', () => {
    const queue = createFairQueue<string>(10, 10);
    for (const item of ['x1', 'x2', 'x3', 'x4', 'y1', 'z1', 'y2'])
      queue.push({ client: item[0] ?? '', account: item }, item, never);
    expect(Array.from({ length: 8 }, () => queue.next())).toEqual([
      'x1',
      'y1',
      'z1',
      'x2',
      'y2',
      'x3',
      'x4',
      undefined,
    ]);
  });

  test('when it is full, a network with fewer entries evicts the newest entry of the network with the most; with equally many it is refused', () => {
    const queue = createFairQueue<string>(4, 10);
    for (const item of ['x1', 'x2', 'x3', 'y1'])
      queue.push({ client: item[0] ?? '', account: item }, item, never);
    const crowdedOut: string[] = [];
    const push = (item: string) =>
      queue.push(
        { client: item[0] ?? '', account: item },
        item,
        (place) => void crowdedOut.push(place.item),
      );
    expect(push('z1')).toBeTypeOf('object');
    expect(crowdedOut).toEqual(['x3']);
    // Two of x, one each of y and z: another of z would be as many as x has.
    expect(push('z2')).toBe('queue_full');
    expect(push('x4')).toBe('queue_full');
    expect(push('w1')).toBeTypeOf('object');
    expect(crowdedOut).toEqual(['x3', 'x2']);
    expect(push('v1')).toBe('queue_full');
    expect([queue.depth, [...queue.byAge()].map(({ item }) => item)]).toEqual([
      4,
      ['x1', 'y1', 'z1', 'w1'],
    ]);
  });

  test('an IPv6 /48 with many clients is one among networks: a turn for it, a turn for the other', () => {
    const queue = createFairQueue<string>(100, 100);
    for (let n = 0; n < 20; n++) {
      queue.push({ wider: 'flood', client: `f${n}`, account: `a${n}` }, `flood ${n}`, never);
    }
    for (const name of ['v1', 'v2']) queue.push({ client: name, account: name }, name, never);
    const served = Array.from({ length: 5 }, () => queue.next());
    expect(served).toEqual(['flood 0', 'v1', 'v2', 'flood 1', 'flood 2']);
  });

  test('when it is full of one /48, another network crowds out an entry of it', () => {
    const queue = createFairQueue<string>(4, 100);
    const crowdedOut: string[] = [];
    const out = ({ item }: { readonly item: string }) => void crowdedOut.push(item);
    for (let n = 0; n < 4; n++) {
      queue.push({ wider: 'flood', client: `f${n}`, account: `a${n}` }, `flood ${n}`, never);
    }
    const flooding = { wider: 'flood', client: 'f9', account: 'a9' };
    expect([queue.refusal(flooding), queue.push(flooding, 'more', never)]).toEqual([
      'queue_full',
      'queue_full',
    ]);
    expect(queue.refusal({ client: 'v', account: 'v' })).toBeNull();
    expect(queue.push({ client: 'v', account: 'v' }, 'victim', out)).toBeTypeOf('object');
    expect(crowdedOut).toHaveLength(1);
    expect(queue.depth).toBe(4);
  });

  test('an account’s cap holds over all clients', () => {
    const queue = createFairQueue<number>(10, 2);
    expect(
      [
        queue.push({ client: 'x', account: 'ada' }, 1, never),
        queue.push({ client: 'y', account: 'ada' }, 2, never),
      ].every((place) => typeof place === 'object'),
    ).toBe(true);
    expect(queue.push({ client: 'z', account: 'ada' }, 3, never)).toBe('account_full');
    queue.next();
    expect(queue.push({ client: 'z', account: 'ada' }, 4, never)).toBeTypeOf('object');
  });
});
