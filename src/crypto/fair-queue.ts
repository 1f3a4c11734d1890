/**
 * A bounded queue that serves clients in turn, and each client's accounts in turn, so that a flood
 * from one client or on one name delays only itself. One account can hold only part of it. When it
 * is full, the newest entry of the client that holds most makes room for a client that holds less.
 * Within an account: first in, first out.
 */

/** An entry's position in the queue. */
export interface Place<T> {
  readonly client: string;
  readonly account: string;
  readonly item: T;
}

export type FairQueueRefusal = 'queue_full' | 'account_full';

export interface FairQueue<T> {
  readonly depth: number;
  /**
   * Adds an item, or says what is full.
   *
   * @param client the network that the request came from
   * @param onCrowdedOut called with the entry that was removed to make room
   */
  push(
    client: string,
    account: string,
    item: T,
    onCrowdedOut: (place: Place<T>) => void,
  ): Place<T> | FairQueueRefusal;
  /** Removes and returns the next item of the client and account whose turn it is. */
  next(): T | undefined;
  /** Removes an entry; does nothing if it was served already. */
  remove(place: Place<T>): void;
  /** Entries, oldest first. */
  byAge(): Iterable<Place<T>>;
}

interface Client<T> {
  size: number;
  readonly accounts: Map<string, Set<Place<T>>>;
}

export function createFairQueue<T>(length: number, lengthPerAccount: number): FairQueue<T> {
  // All collections iterate in insertion order: the first is next.
  const all = new Set<Place<T>>();
  const clients = new Map<string, Client<T>>();
  /** Number of waiting entries per account, over all clients. */
  const perAccount = new Map<string, number>();

  function remove(place: Place<T>): void {
    if (!all.delete(place)) return;
    const left = (perAccount.get(place.account) ?? 0) - 1;
    if (left > 0) perAccount.set(place.account, left);
    else perAccount.delete(place.account);
    const client = clients.get(place.client);
    if (client === undefined) return;
    client.size -= 1;
    const own = client.accounts.get(place.account);
    own?.delete(place);
    if (own?.size === 0) client.accounts.delete(place.account);
    if (client.size === 0) clients.delete(place.client);
  }

  /**
   * The newest entry of the client that holds most, if the newcomer would still hold fewer with one
   * more.
   */
  function crowdOut(newcomer: number): Place<T> | undefined {
    let most: string | undefined;
    let size = newcomer + 1;
    for (const [name, client] of clients)
      if (client.size > size) [most, size] = [name, client.size];
    let newest: Place<T> | undefined;
    if (most !== undefined) for (const place of all) if (place.client === most) newest = place;
    return newest;
  }

  return {
    get depth() {
      return all.size;
    },

    push(name, account, item, onCrowdedOut) {
      const waiting = perAccount.get(account) ?? 0;
      if (waiting >= lengthPerAccount) return 'account_full';
      if (all.size >= length) {
        const crowded = crowdOut(clients.get(name)?.size ?? 0);
        if (crowded === undefined) return 'queue_full';
        remove(crowded);
        onCrowdedOut(crowded);
      }
      const place = { client: name, account, item };
      all.add(place);
      perAccount.set(account, (perAccount.get(account) ?? 0) + 1);
      const client = clients.get(name) ?? { size: 0, accounts: new Map<string, Set<Place<T>>>() };
      client.size += 1;
      clients.set(name, client);
      const own = client.accounts.get(account);
      if (own === undefined) client.accounts.set(account, new Set([place]));
      else own.add(place);
      return place;
    },

    next() {
      // The first of each; none of them is empty.
      const client = clients.values().next().value;
      const own = client?.accounts.values().next().value;
      const place = own?.values().next().value;
      if (client === undefined || own === undefined || place === undefined) return undefined;
      remove(place);
      // An account or client with more entries goes to the end of the line.
      if (own.size > 0) moveToEnd(client.accounts, place.account, own);
      if (client.size > 0) moveToEnd(clients, place.client, client);
      return place.item;
    },

    remove,
    byAge: () => all,
  };
}

function moveToEnd<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
}
