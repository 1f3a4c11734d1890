/**
 * A least-recently-used cache that grows as it fills: lru-cache allocates all its entries at once,
 * which would waste memory in a service with few clients.
 */
import { LRUCache } from 'lru-cache';

export interface GrowingLru<Key extends {}, Value extends {}> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
  readonly size: number;
}

/** The initial number of entries, and the factor by which it grows. */
const FIRST = 1_024;
const FACTOR = 4;

/** @param max maximum number of entries; beyond it, the least recently used one is removed */
export function createGrowingLru<Key extends {}, Value extends {}>(
  max: number,
): GrowingLru<Key, Value> {
  let cache = new LRUCache<Key, Value>({ max: Math.min(FIRST, max) });

  const grow = (): void => {
    const larger = new LRUCache<Key, Value>({ max: Math.min(cache.max * FACTOR, max) });
    larger.load(cache.dump());
    cache = larger;
  };

  return {
    get: (key) => cache.get(key),
    set: (key, value) => {
      if (cache.size === cache.max && cache.max < max && !cache.has(key)) grow();
      cache.set(key, value);
    },
    get size() {
      return cache.size;
    },
  };
}
