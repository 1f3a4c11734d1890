/** The interface of a password hasher; password-hash.ts implements it. */
import type { FairQueueRefusal } from './fair-queue.ts';
import type { StoredRefusal } from './hash-plan.ts';

export type HashKind = 'hash' | 'verify';
export type Rejection = FairQueueRefusal | 'deadline' | 'closed';

export interface HashContext {
  /**
   * Whose password: the canonical form of the given name, whether it exists or not. For fairness.
   */
  account: string;
  /**
   * The network of the request; networks are served in turn. Never a value that the caller chose.
   */
  client: string;
  /** The network that this one is part of, such as an IPv6 /48: those are served in turn first. */
  wider?: string | undefined;
  /** Aborting removes an entry that still waits; running work continues. */
  signal?: AbortSignal;
}

export interface Verification {
  ok: boolean;
  /** A new hash to store, because the old one's cost or pepper is not current; otherwise null. */
  rehash: string | null;
}

export interface HasherStats {
  /** Waiting entries. */
  depth: number;
  /** Busy lanes. */
  running: number;
  /** Refused entries since the start, in total and by reason. */
  rejected: number;
  rejectedBy: Readonly<Record<Rejection, number>>;
}

export interface PasswordHasher {
  /**
   * Hashes a normalised password.
   *
   * @throws Refusal `overloaded` when the queue or the account's share of it is full, or the
   *   deadline has passed
   * @throws the signal's reason when aborted while waiting
   * @throws Error when a lane died during the work
   */
  hash(password: string, ctx: HashContext): Promise<string>;
  /**
   * Compares a normalised password with a stored hash. Null (no hash) costs the same work and is
   * never ok.
   *
   * @throws as hash does
   */
  verify(stored: string | null, password: string, ctx: HashContext): Promise<Verification>;
  /**
   * What to store for a hash of another system, in a spelling of foreign-hash.ts or an own one: a
   * slow one stays as it is, a fast one is hashed once more.
   *
   * @throws as hash does
   * @throws TypeError for one that {@link refusalOf} refuses
   */
  adopt(text: string, ctx: HashContext): Promise<string>;
  /** Why such a hash can't be taken over; null if it can. */
  refusalOf(text: string): StoredRefusal | null;
  /**
   * Refuses early if `hash` or `verify` would refuse at once: for a write that comes before them.
   *
   * @throws Refusal `overloaded`
   */
  demandRoom(ctx: HashContext): void;
  stats(): HasherStats;
  /** How long the waiting entries will keep the lanes busy, in milliseconds. */
  readonly backlogMs: number;
  /**
   * Starts this many lanes (default: all) and resolves once they have loaded; rejects if they can't,
   * so that the start can report it.
   */
  ready(count?: number): Promise<void>;
  /** Refuses waiting and new entries, lets running work end, and ends the threads. */
  close(): Promise<void>;
}
