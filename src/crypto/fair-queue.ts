/**
 * A bounded queue that serves accounts in turn, so that a flood at one name makes that name wait and nobody else; a cap for
 * each account keeps one name from filling it. Within an account, first come first served. Every step takes constant time.
 */

/** A place in the queue. */
export interface Place<T> {
  readonly account: string;
  readonly item: T;
}

export type FairQueueRefusal = 'queue_full' | 'account_full';

export interface FairQueue<T> {
  readonly depth: number;
  /** Takes an item in, or says what is full. */
  push(account: string, item: T): Place<T> | FairQueueRefusal;
  /** Takes the next item of the account whose turn it is. */
  next(): T | undefined;
  /** Gives a place up; nothing happens if it was served already. */
  remove(place: Place<T>): void;
  /** Places by arrival, oldest first. */
  byAge(): Iterable<Place<T>>;
}

export function createFairQueue<T>(length: number, lengthPerAccount: number): FairQueue<T> {
  // Both collections iterate in order of insertion: the first account is the one whose turn it is.
  const all = new Set<Place<T>>();
  const accounts = new Map<string, Set<Place<T>>>();

  function remove(place: Place<T>): void {
    if (!all.delete(place)) return;
    const own = accounts.get(place.account);
    own?.delete(place);
    if (own?.size === 0) accounts.delete(place.account);
  }

  return {
    get depth() {
      return all.size;
    },

    push(account, item) {
      const own = accounts.get(account);
      if (own !== undefined && own.size >= lengthPerAccount) return 'account_full';
      if (all.size >= length) return 'queue_full';
      const place = { account, item };
      all.add(place);
      if (own === undefined) accounts.set(account, new Set([place]));
      else own.add(place);
      return place;
    },

    next() {
      for (const [account, own] of accounts) {
        for (const place of own) {
          remove(place);
          // To the back of the line, if it has more to ask for.
          if (own.size > 0) {
            accounts.delete(account);
            accounts.set(account, own);
          }
          return place.item;
        }
      }
      return undefined;
    },

    remove,
    byAge: () => all,
  };
}
