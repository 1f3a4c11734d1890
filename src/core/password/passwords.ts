/** Passwords for features: what the policy says of one, hashing it, comparing it. */
import type { HashContext, PasswordHasher } from '../../crypto/password-hasher.ts';
import type { Database, Statement } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import type { AttemptPurpose } from '../attempt/purposes.ts';
import type { Context } from '../context.ts';
import type { PresentedFactor } from '../factor/presented.ts';
import { networkOf, widerNetworkOf } from '../session/requester.ts';
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

/** The password as a factor, as sessions have it. */
export const PRESENTED_PASSWORD = {
  factor: 'password',
  kind: 'knowledge',
  amr: ['pwd'],
} as const satisfies PresentedFactor;

/** Passwords that were in a breach. */
export interface Breached {
  /** Whether this normalised password was in one. */
  has(password: string): Promise<boolean>;
}

/** What a password must not be made of: the names of its account. */
export type PasswordOwner = Partial<
  Pick<User, 'username' | 'email' | 'pendingEmail' | 'displayName'>
>;

export interface PasswordFault {
  readonly code: string;
  readonly detail: string;
}

/** A password that was right, and the hash that said so. */
export interface RightPassword {
  readonly user: User;
  readonly storedHash: string;
  /** True for one that is older than it may be: it is right, but signs nobody in. */
  readonly isTooOld: boolean;
  /** Stores a better hash of the same password, when the stored one is not of today's cost. */
  readonly upgrade: readonly Statement[];
}

export interface Passwords {
  /** What the policy says of a password: the faults, with a sentence each. */
  judge(password: string, owner: PasswordOwner): Promise<readonly PasswordFault[]>;
  /** How hard it is to guess: 0 at once, 4 strong. */
  score(password: string, owner: PasswordOwner): PasswordScore;
  /**
   * The normalised password, if the policy takes it.
   *
   * @param pointer where it is in the request's body (RFC 6901)
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
   * Compares a password with the stored one of a user, or of nobody: the same work.
   *
   * @param share whose share of the hash queue it is
   * @throws {Refusal} invalid_credentials, overloaded
   */
  look(
    context: Context,
    user: User | null,
    password: string,
    share: string,
  ): Promise<RightPassword>;
  /** Refuses what has no chance of being hashed, before anything is written. @throws {Refusal} overloaded */
  demandRoom(context: Context, share: string): void;
  /** The statements that keep the present hash among the former ones. */
  remember(userId: string, now: number): readonly Statement[];
}

export interface PasswordsDeps {
  readonly db: Pick<Database, 'read'>;
  readonly clock: Clock;
  readonly hasher: PasswordHasher;
  readonly common: CommonPasswords;
  readonly breached: Breached;
  readonly minLength: number;
  /** How many former passwords must not come back. */
  readonly history: number;
  /** Age after which a password has to be changed, milliseconds; 0 is never. */
  readonly maxAgeMs: number;
  /** The service's own name, and the words that the operator added. */
  readonly contextWords: readonly string[];
}

/**
 * Whose share of the hash queue a piece of work is: the queue serves accounts in turn, so that
 * guesses at one account's second factor don't hold up its password. Compared, never parsed.
 */
export function hashShare(purpose: AttemptPurpose | 'registration', subject: string): string {
  return JSON.stringify([purpose, subject]);
}

/** A piece of work for the hash queue. */
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
    // What is refused anyway need not be asked about elsewhere.
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
      // The password of no user is looked up too: one read less would tell.
      const stored = await findPassword(db, user?.id ?? '');
      // A text that can't be a password here costs a hash all the same.
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
