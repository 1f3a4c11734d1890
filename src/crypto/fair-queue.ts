/**
 * A bounded queue that serves networks in turn, the clients of each in turn, and each client's
 * accounts in turn, so that a flood from one network or on one name delays only itself. An account
 * can occupy only part of it. When it is full, a newcomer evicts the newest entry of the network
 * with the most entries, if its own network has fewer; the same holds for clients of one network.
 * Within an account: first in, first out.
 */

/** The owner of an entry, from the widest group to the narrowest. */
export interface Origin {
  /** The network that the client is part of, such as an IPv6 /48; the client itself by default. */
  readonly wider?: string | undefined;
  /** The network that the request came from. */
  readonly client: string;
  readonly account: string;
}

/** An entry's position in the queue. */
export interface Place<T> {
  readonly item: T;
  readonly path: readonly [wider: string, client: string, account: string];
  /** Increases with each entry. */
  readonly order: number;
}

export type FairQueueRefusal = 'queue_full' | 'account_full';

export interface FairQueue<T> {
  readonly depth: number;
  /** Adds an item, or returns which limit is reached. @param onCrowdedOut gets the evicted entry */
  push(
    origin: Origin,
    item: T,
    onCrowdedOut: (place: Place<T>) => void,
  ): Place<T> | FairQueueRefusal;
  /** What `push` would refuse now; null when there is room. */
  refusal(origin: Origin): FairQueueRefusal | null;
  /** Removes and returns the next item of the network, client and account whose turn it is. */
  next(): T | undefined;
  /** Removes an entry; does nothing if it was already served. */
  remove(place: Place<T>): void;
  /** Entries, oldest first. */
  byAge(): Iterable<Place<T>>;
}

/** All collections iterate in insertion order: the first entry is next. */
interface Branch<T> {
  size: number;
  readonly branches: Map<string, Branch<T>>;
  readonly places: Set<Place<T>>;
}

const newBranch = <T>(): Branch<T> => ({ size: 0, branches: new Map(), places: new Set() });

/** The levels at which a newcomer can evict an entry: networks and clients. */
const CROWDING_LEVELS = 2;

function add<T>(root: Branch<T>, place: Place<T>): void {
  let branch = root;
  branch.size += 1;
  for (const key of place.path) {
    const inner = branch.branches.get(key) ?? newBranch<T>();
    branch.branches.set(key, inner);
    inner.size += 1;
    branch = inner;
  }
  branch.places.add(place);
}

function take<T>(root: Branch<T>, place: Place<T>): void {
  let branch = root;
  branch.size -= 1;
  for (const key of place.path) {
    const inner = branch.branches.get(key);
    if (inner === undefined) return;
    inner.size -= 1;
    if (inner.size === 0) branch.branches.delete(key);
    branch = inner;
  }
  branch.places.delete(place);
}

/**
 * The first entry of the first branch at each level; branches with more entries move to the end.
 */
function takeNext<T>(root: Branch<T>): Place<T> | undefined {
  let branch = root;
  while (branch.branches.size > 0) {
    const [first] = branch.branches;
    if (first === undefined) return undefined;
    const [key, inner] = first;
    branch.branches.delete(key);
    branch.branches.set(key, inner);
    branch = inner;
  }
  const [place] = branch.places;
  if (place !== undefined) take(root, place);
  return place;
}

function heaviest<T>({ branches }: Branch<T>): Branch<T> | undefined {
  let most: Branch<T> | undefined;
  for (const branch of branches.values()) {
    if (most === undefined || branch.size > most.size) most = branch;
  }
  return most;
}

/** The newest entry of a client, over all its accounts. */
function newestOf<T>({ branches }: Branch<T>): Place<T> | undefined {
  let newest: Place<T> | undefined;
  for (const { places } of branches.values()) {
    for (const place of places)
      if (newest === undefined || place.order > newest.order) newest = place;
  }
  return newest;
}

/**
 * The entry to evict: from the first level at which another branch has more entries than the
 * newcomer's would have.
 */
function crowdedOut<T>(root: Branch<T>, path: readonly string[]): Place<T> | undefined {
  let branch: Branch<T> | undefined = root;
  for (const [level, key] of path.slice(0, CROWDING_LEVELS).entries()) {
    const most: Branch<T> | undefined = branch && heaviest(branch);
    const own: Branch<T> | undefined = branch?.branches.get(key);
    if (most !== undefined && most.size > (own?.size ?? 0) + 1) {
      const client = level === 0 ? heaviest(most) : most;
      return client === undefined ? undefined : newestOf(client);
    }
    branch = own;
  }
  return undefined;
}

export function createFairQueue<T>(length: number, lengthPerAccount: number): FairQueue<T> {
  const all = new Set<Place<T>>();
  const root = newBranch<T>();
  let order = 0;
  /** Number of waiting entries per account, over all clients. */
  const perAccount = new Map<string, number>();

  const forget = ({ path: [, , account] }: Place<T>): void => {
    const left = (perAccount.get(account) ?? 0) - 1;
    if (left > 0) perAccount.set(account, left);
    else perAccount.delete(account);
  };
  const remove = (place: Place<T>): void => {
    if (!all.delete(place)) return;
    take(root, place);
    forget(place);
  };
  const pathOf = ({ wider, client, account }: Origin): Place<T>['path'] => [
    wider ?? client,
    client,
    account,
  ];
  const refusal = (path: Place<T>['path']): FairQueueRefusal | null => {
    if ((perAccount.get(path[2]) ?? 0) >= lengthPerAccount) return 'account_full';
    const isFull = all.size >= length && crowdedOut(root, path) === undefined;
    return isFull ? 'queue_full' : null;
  };

  return {
    get depth() {
      return all.size;
    },

    push(origin, item, onCrowdedOut) {
      const path = pathOf(origin);
      const refused = refusal(path);
      if (refused !== null) return refused;
      const crowded = all.size >= length ? crowdedOut(root, path) : undefined;
      if (crowded !== undefined) {
        remove(crowded);
        onCrowdedOut(crowded);
      }
      const place = { path, item, order: ++order };
      all.add(place);
      add(root, place);
      perAccount.set(origin.account, (perAccount.get(origin.account) ?? 0) + 1);
      return place;
    },

    refusal: (origin) => refusal(pathOf(origin)),

    next() {
      const place = takeNext(root);
      if (place === undefined) return undefined;
      all.delete(place);
      forget(place);
      return place.item;
    },

    remove,
    byAge: () => all,
  };
}
