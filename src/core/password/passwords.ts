/** Passwords for features: checking them against the policy, hashing and comparing them. */
import type { HashContext, PasswordHasher } from '../../crypto/password-hasher.ts';
import type { Database, Statement } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import type { AttemptPurpose } from '../attempt/purposes.ts';
import type { Context } from '../context.ts';
import type { PresentedFactor } from '../factor/presented.ts';
import { networkOf, widerNetworkOf } from '../requester.ts';
import type { User } from '../user/user.ts';
import type { CommonPasswords } from './common-passwords.ts';
import type { PasswordContext } from './context-words.ts';
import {
  findPassword,
  listFormerPasswords,
  rememberPassword,
  upgradePassword,
} from './credential.ts';
import { normalizePassword, passwordFaults } from './policy.ts';
import { passwordScore } from './score.ts';
import type { PasswordScore } from './score.ts';

/** The password as a presented factor in sessions. */
export const PRESENTED_PASSWORD = {
  factor: 'password',
  kind: 'knowledge',
  amr: ['pwd'],
} as const satisfies PresentedFactor;

/** Passwords known from breaches. */
export interface Breached {
  /** Whether this normalised password is known from a breach. */
  has(password: string): Promise<boolean>;
}

/** What a password must not consist of: the names of its account. */
export type PasswordOwner = Partial<
  Pick<User, 'username' | 'email' | 'pendingEmail' | 'displayName'>
>;

export interface PasswordFault {
  readonly code: string;
  readonly detail: string;
}

/** A correct password, and the hash that verified it. */
export interface RightPassword {
  readonly user: User;
  readonly storedHash: string;
  /** True if it is older than the maximum age: it is correct, but not accepted for a sign-in. */
  readonly isTooOld: boolean;
  /** Stores a better hash of the same password, if the stored one has outdated parameters. */
  readonly upgrade: readonly Statement[];
}

export interface Passwords {
  /** The result of the policy: the faults, with a sentence each. */
  judge(password: string, owner: PasswordOwner): Promise<readonly PasswordFault[]>;
  /** A hint for a strength meter, from 0 (guessed at once) to 4 (strong). */
  score(password: string, owner: PasswordOwner): PasswordScore;
  /**
   * The normalised password, if the policy accepts it.
   *
   * @param pointer its place in the request's body (RFC 6901)
   * @throws {Refusal} invalid_request with every fault
   */
  accept(password: string, owner: PasswordOwner, pointer: string): Promise<string>;
  /**
   * Refuses a password that the user has or had, as far back as the configuration asks.
   *
   * @throws {Refusal} invalid_request, overloaded
   */
  refuseFormer(
    context: Context,
    reuse: {
      readonly userId: string;
      readonly storedHash: string | null;
      readonly password: string;
      readonly pointer: string;
    },
  ): Promise<void>;
  /**
   * Compares a password with the stored one of a user; does the same work when there is no user.
   *
   * @param share the share of the hash queue to use
   * @throws {Refusal} invalid_credentials, overloaded
   */
  look(
    context: Context,
    user: User | null,
    password: string,
    share: string,
  ): Promise<RightPassword>;
  /**
   * Refuses early if the hash queue is full, before anything is written. @throws {Refusal}
   * overloaded
   */
  demandRoom(context: Context, share: string): void;
  /** The statements that keep the present hash in the history. */
  remember(userId: string, now: number): readonly Statement[];
}

export interface PasswordsDeps {
  readonly db: Pick<Database, 'read'>;
  readonly clock: Clock;
  readonly hasher: PasswordHasher;
  readonly common: CommonPasswords;
  readonly breached: Breached;
  readonly minLength: number;
  /** Number of former passwords that can't be reused. */
  readonly history: number;
  /** Maximum age of a password at sign-in, milliseconds; 0 for none. */
  readonly maxAgeMs: number;
  /** The service's name, and the words that the operator added. */
  readonly contextWords: readonly string[];
}

/**
 * The share of the hash queue that a job uses: the queue serves accounts in turn, so that guesses
 * at one account's second factor don't delay its password. Compared, never parsed.
 */
export function hashShare(purpose: AttemptPurpose | 'registration', subject: string): string {
  return JSON.stringify([purpose, subject]);
}

/** A job for the hash queue. */
export function hashJob({ requester, signal }: Context, share: string): HashContext {
  return {
    account: share,
    client: networkOf(requester),
    wider: widerNetworkOf(requester) ?? undefined,
    signal,
  };
}

const BREACHED = {
  code: 'breached',
  detail: 'This password was in a data breach, so others know it. Use another.',
};

export function createPasswords(deps: PasswordsDeps): Passwords {
  const { db, clock, hasher, minLength, history, maxAgeMs } = deps;
  const policy = { minLength, common: deps.common };
  const contextOf = (owner: PasswordOwner): PasswordContext => ({
    username: owner.username ?? null,
    email: owner.email ?? owner.pendingEmail ?? null,
    displayName: owner.displayName ?? null,
    words: deps.contextWords,
  });

  const judge = async (
    password: string,
    owner: PasswordOwner,
  ): Promise<readonly PasswordFault[]> => {
    const faults = passwordFaults(policy, password, contextOf(owner));
    const normalized = normalizePassword(password);
    // Don't ask an external service about a password that is refused anyway.
    if (faults.length > 0 || normalized === null) return faults;
    return (await deps.breached.has(normalized)) ? [BREACHED] : [];
  };

  return {
    judge,
    score: (password, owner) => passwordScore(policy, password, contextOf(owner)),
    accept: async (password, owner, pointer) => {
      const faults = await judge(password, owner);
      const normalized = normalizePassword(password);
      if (faults.length === 0 && normalized !== null) return normalized;
      throw invalidRequest(...faults.map((fault) => ({ pointer, ...fault })));
    },
    refuseFormer: async (context, { userId, storedHash, password, pointer }) => {
      if (history === 0) return;
      const former = await listFormerPasswords(db, userId, history);
      const job = hashJob(context, hashShare('password', userId));
      for (const stored of storedHash === null ? former : [storedHash, ...former]) {
        const { ok } = await hasher.verify(stored, password, job);
        if (!ok) continue;
        const detail = 'This password was used here before. Choose another.';
        throw invalidRequest({ pointer, code: 'reused', detail });
      }
    },
    demandRoom: (context, share) => hasher.demandRoom(hashJob(context, share)),
    look: async (context, user, password, share) => {
      const normalized = normalizePassword(password);
      // Look up the password even without a user: skipping the read would be measurable.
      const stored = await findPassword(db, user?.id ?? '');
      // A text that can't be a password still costs a hash, so that the time is the same.
      const compared = normalized === null ? null : (stored?.passwordHash ?? null);
      const { ok, rehash } = await hasher.verify(
        compared,
        normalized ?? 'not a password',
        hashJob(context, share),
      );
      if (!ok || user === null || stored === null || normalized === null) {
        throw new Refusal('invalid_credentials');
      }
      const { passwordHash: storedHash, changedAt } = stored;
      return {
        user,
        storedHash,
        isTooOld: maxAgeMs > 0 && clock.now() - changedAt > maxAgeMs,
        upgrade:
          rehash === null
            ? []
            : [upgradePassword({ userId: user.id, seen: storedHash, next: rehash })],
      };
    },
    remember: (userId, now) => rememberPassword(userId, history, now),
  };
}
