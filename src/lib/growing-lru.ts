/**
 * A least-recently-used cache that takes memory as it fills. lru-cache reserves room for all its
 * entries when it is made, which a service that knows few clients would carry for nothing.
 */
import { LRUCache } from 'lru-cache';

export interface GrowingLru<Key extends {}, Value extends {}> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
  readonly size: number;
}

/** Entries at first, and how many times more when they are taken. */
const FIRST = 1_024;
const FACTOR = 4;

/** @param max entries at most; beyond, the one that was not used for longest is forgotten */
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
