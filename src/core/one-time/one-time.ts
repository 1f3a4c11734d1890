/**
 * One-time codes and links, one mechanism for every purpose: issued, tried a bounded number of
 * times, spent by one conditional statement. All of a user's are void when a password, an address
 * or the account's state changes (G8).
 */
import {
  and,
  desc,
  eq,
  gt,
  isNotNull,
  isNull,
  lt,
  lte,
  notInArray,
  inArray,
  sql,
} from 'drizzle-orm';
import { hashSecret } from '../../crypto/secret.ts';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RowOfColumns } from '../../db/prepare.ts';
import type { Clock } from '../../lib/clock.ts';
import type { RefusalCode } from '../../refusal.ts';
import { guarded } from '../guards.ts';
import type { Sweep } from '../sweep.ts';
import { oneTime } from './tables.ts';

export type OneTimePurpose = (typeof oneTime.purpose.enumValues)[number];

/** Wrong codes after which a code is void (G8). */
const MAX_CODE_ATTEMPTS = 5;
/** NIST SP 800-63B-4 §3.1.3, ASVS 6.5.5. */
export const CODE_TTL_MS = 10 * 60_000;

const columns = {
  id: oneTime.id,
  userId: oneTime.userId,
  subject: oneTime.subject,
  codeHash: oneTime.codeHash,
  payloadSealed: oneTime.payloadSealed,
};

export type OneTime = RowOfColumns<typeof columns>;

export const isOpen = and(isNull(oneTime.spentAt), gt(oneTime.expiresAt, given('now')));
const isPurpose = eq(oneTime.purpose, given('purpose'));
export const isId = eq(oneTime.id, given('id'));
const ofUser = eq(oneTime.userId, given('userId'));

const tryCode = prepare(
  query
    .update(oneTime)
    .set({ attempts: sql`${oneTime.attempts} + 1` })
    .where(
      and(
        isId,
        isPurpose,
        isNull(oneTime.spentAt),
        gt(oneTime.codeExpiresAt, given('now')),
        lt(oneTime.attempts, MAX_CODE_ATTEMPTS),
      ),
    )
    .returning(columns),
);

const giveBackTry = prepare(
  query
    .update(oneTime)
    .set({ attempts: sql`${oneTime.attempts} - 1` })
    .where(and(isId, gt(oneTime.attempts, 0))),
);

const byToken = prepare(
  query
    .select(columns)
    .from(oneTime)
    .where(and(eq(oneTime.tokenHash, given('tokenHash')), isPurpose, isOpen))
    .limit(1),
);

const latest = prepare(
  query
    .select(columns)
    .from(oneTime)
    .where(and(ofUser, isPurpose, isOpen))
    .orderBy(desc(oneTime.createdAt), desc(oneTime.id))
    .limit(1),
);

const byId = prepare(
  query
    .select(columns)
    .from(oneTime)
    .where(and(isId, isPurpose, isOpen))
    .limit(1),
);

/** Codes and links that can still be spent. */
export interface OneTimes {
  /** The one with this id. */
  find(purpose: OneTimePurpose, id: string): Promise<OneTime | null>;
  /** The one of this link token. */
  findByToken(purpose: OneTimePurpose, token: string): Promise<OneTime | null>;
  /** The newest one of a user: a newer code makes the older ones void (O05). */
  findLatest(purpose: OneTimePurpose, userId: string): Promise<OneTime | null>;
  /**
   * Counts a try before the code is compared; null when it is spent, expired, or had too many
   * tries.
   */
  countTry(purpose: OneTimePurpose, id: string): Promise<OneTime | null>;
  /** Uncounts a try whose code was not compared. */
  giveTryBack(id: string): Promise<void>;
}

export function createOneTimes({ db, clock }: { db: Database; clock: Clock }): OneTimes {
  const now = (): number => clock.now();
  return {
    find: async (purpose, id) => (await db.read(byId({ id, purpose, now: now() })))[0] ?? null,
    findByToken: async (purpose, token) => {
      const rows = await db.read(byToken({ tokenHash: hashSecret(token), purpose, now: now() }));
      return rows[0] ?? null;
    },
    findLatest: async (purpose, userId) =>
      (await db.read(latest({ userId, purpose, now: now() })))[0] ?? null,
    countTry: async (purpose, id) => {
      const [rows] = await db.write([tryCode({ id, purpose, now: now() })]);
      return rows[0] ?? null;
    },
    giveTryBack: async (id) => void (await db.write([giveBackTry({ id })])),
  };
}

const spent = { spentAt: given('now'), payloadSealed: null };

const spend = prepare(query.update(oneTime).set(spent).where(and(isId, isOpen)));

/**
 * The statement that spends it: of several concurrent commits one succeeds, and the others are
 * refused with `code`.
 */
export function spendOneTime(id: string, now: number, code: RefusalCode): Statement {
  return guarded(spend({ id, now }), code);
}

const unspentOfUser = and(ofUser, isNull(oneTime.spentAt));
const voidAll = prepare(query.update(oneTime).set(spent).where(unspentOfUser));

const newest = query
  .select({ id: oneTime.id })
  .from(oneTime)
  .where(and(unspentOfUser, isPurpose))
  .orderBy(desc(oneTime.createdAt), desc(oneTime.id))
  .limit(sql.placeholder('keep'));

const voidOlder = prepare(
  query
    .update(oneTime)
    .set(spent)
    .where(and(unspentOfUser, isPurpose, notInArray(oneTime.id, newest))),
);

/** The statement that voids all unspent codes and links of a user. */
export function voidOneTimes(userId: string, now: number): Statement {
  return voidAll({ userId, now });
}

/** The statement that voids all but the newest ones of a purpose. */
export function keepNewest(values: {
  readonly userId: string;
  readonly purpose: OneTimePurpose;
  readonly keep: number;
  readonly now: number;
}): Statement {
  return voidOlder({ ...values });
}

/** A literal, because SQLite uses a partial index only where the condition is a constant. */
const isSentTo = and(
  sql`${oneTime.purpose} = 'sign_in'`,
  isNull(oneTime.spentAt),
  isNotNull(oneTime.codeHash),
  eq(oneTime.subject, given('subject')),
);
const newestSent = query
  .select({ id: oneTime.id })
  .from(oneTime)
  .where(isSentTo)
  .orderBy(desc(oneTime.createdAt), desc(sql`${oneTime}.rowid`))
  .limit(1);
const voidOlderSent = prepare(
  query
    .update(oneTime)
    .set(spent)
    .where(and(isSentTo, notInArray(oneTime.id, newestSent))),
);

/**
 * The statement that voids all sign-in codes of an address but the newest that was sent (O05), with
 * an account or without one.
 */
export function keepNewestSignIn(subject: string, now: number): Statement {
  return voidOlderSent({ subject, now });
}

/** Rows whose link has expired. */
export const oneTimeSweep: Sweep = prepare(
  query
    .delete(oneTime)
    .where(
      inArray(
        oneTime.id,
        query
          .select({ id: oneTime.id })
          .from(oneTime)
          .where(lte(oneTime.expiresAt, given('before')))
          .limit(sql.placeholder('batch')),
      ),
    )
    .returning({ id: oneTime.id }),
);
