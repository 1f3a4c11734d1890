/**
 * One-time codes and links, one mechanism for every purpose: issued, tried a bounded number of
 * times, spent by one conditional statement, void with all others of a user when a password, an
 * address or the account's state changes (G8).
 */
import { and, desc, eq, exists, gt, isNull, lt, lte, notInArray, inArray, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import { hashSecret, randomToken } from '../../crypto/secret.ts';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RowOfColumns } from '../../db/prepare.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/id.ts';
import type { RefusalCode } from '../../refusal.ts';
import { outbox } from '../email/tables.ts';
import { guarded } from '../guards.ts';
import type { Sweep } from '../sweep.ts';
import { user } from '../user/tables.ts';
import type { User } from '../user/user.ts';
import { oneTime } from './tables.ts';

export type OneTimePurpose = (typeof oneTime.purpose.enumValues)[number];

/** Wrong codes after which a code is void (G8). */
export const MAX_CODE_ATTEMPTS = 5;
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

export interface NewOneTime {
  readonly id: string;
  readonly purpose: OneTimePurpose;
  readonly userId: string | null;
  readonly subject: string | null;
  /** The link's token, in clear; its hash is stored. */
  readonly token: string | null;
  /** A password hash of the typed code. */
  readonly codeHash: string | null;
  readonly payloadSealed: string | null;
  readonly now: number;
  readonly ttlMs: number;
}

function valuesOf({ token, now, ttlMs, ...values }: NewOneTime) {
  return {
    ...values,
    tokenHash: token === null ? null : hashSecret(token),
    now,
    codeExpiresAt: now + CODE_TTL_MS,
    expiresAt: now + ttlMs,
  };
}

/** Whether the email of this commit was written, and not held back by the limits of its address. */
const emailWaits = exists(
  query
    .select({ id: outbox.id })
    .from(outbox)
    .where(eq(outbox.id, given('emailId'))),
);

/** A value that the caller gave, if the email was written. */
const ifEmailWaits = (name: string): SQL =>
  sql`CASE WHEN ${emailWaits} THEN ${given(name)} ELSE NULL END`;

const common = {
  id: given('id').as('id'),
  purpose: given('purpose').as('purpose'),
  subject: given('subject').as('subject'),
  attempts: sql<number>`0`.as('attempts'),
  payloadSealed: given('payloadSealed').as('payload_sealed'),
  createdAt: given('now').as('created_at'),
  codeExpiresAt: given('codeExpiresAt').as('code_expires_at'),
  expiresAt: given('expiresAt').as('expires_at'),
  spentAt: sql<null>`NULL`.as('spent_at'),
};

/** In the order of the table's columns, which is the order in which drizzle inserts them. */
function selection(own: { userId: SQL; tokenHash: SQL; codeHash: SQL }) {
  const { id, purpose, subject, ...rest } = common;
  const { attempts, payloadSealed, createdAt, codeExpiresAt, expiresAt, spentAt } = rest;
  return {
    id,
    purpose,
    userId: own.userId.as('user_id'),
    subject,
    tokenHash: own.tokenHash.as('token_hash'),
    codeHash: own.codeHash.as('code_hash'),
    attempts,
    payloadSealed,
    createdAt,
    codeExpiresAt,
    expiresAt,
    spentAt,
  };
}

const insert = prepare(
  query.insert(oneTime).select(
    query
      .select(
        selection({
          userId: ifEmailWaits('userId'),
          tokenHash: ifEmailWaits('tokenHash'),
          codeHash: ifEmailWaits('codeHash'),
        }),
      )
      .from(sql`(SELECT 1)`),
  ),
);

/**
 * The statement that issues a code or link. Its secrets are kept only if the email that carries
 * them, written earlier in the same commit, was not held back by the limits of its address: a code
 * that was not sent is nobody's to enter, and would be one more to guess (O06).
 */
export function insertOneTime(values: NewOneTime, emailId: string): Statement {
  return insert({ ...valuesOf(values), emailId });
}

const insertInState = prepare(
  query.insert(oneTime).select(
    query
      .select(
        selection({
          userId: sql`${user.id}`,
          tokenHash: given('tokenHash'),
          codeHash: given('codeHash'),
        }),
      )
      .from(user)
      .where(
        and(eq(user.id, given('userId')), eq(user.epoch, given('epoch')), isNull(user.disabledAt)),
      ),
  ),
);

/**
 * The statement that issues a link that no email carries, only while its user is in the state that
 * was verified; else `invalid_credentials`.
 */
export function insertOneTimeFor({ id: userId, epoch }: User, values: NewOneTime): Statement {
  const statement = insertInState({ ...valuesOf(values), userId, epoch });
  return guarded(statement, 'invalid_credentials');
}

/** A link's token: 256 random bits. */
export function newToken(random: Random): string {
  return randomToken(random, 32);
}

/** A typed code: six digits, each as likely as the others (O07). */
export function newCode(random: Random): string {
  // 2^32 is no multiple of a million: what lies past the last whole one is drawn again.
  for (;;) {
    const draw = random.bytes(4).readUInt32BE(0);
    if (draw < 4_294_000_000) return String(draw % 1_000_000).padStart(6, '0');
  }
}

const isOpen = and(isNull(oneTime.spentAt), gt(oneTime.expiresAt, given('now')));
const isPurpose = eq(oneTime.purpose, given('purpose'));
const isId = eq(oneTime.id, given('id'));
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

/** What has been issued and can still be spent. */
export interface OneTimes {
  /** The one of an id. */
  find(purpose: OneTimePurpose, id: string): Promise<OneTime | null>;
  /** The one that a link's token opens. */
  findByToken(purpose: OneTimePurpose, token: string): Promise<OneTime | null>;
  /** The newest one of a user: an older code is void once there is a newer one (O05). */
  findLatest(purpose: OneTimePurpose, userId: string): Promise<OneTime | null>;
  /** Counts a try of a code before it is compared; null when it is spent, too old, or used up. */
  countTry(purpose: OneTimePurpose, id: string): Promise<OneTime | null>;
  /** Gives a counted try back that nobody looked at. */
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
 * The statement that spends it: of any number at once, one gets through, and the others are refused
 * with `code`.
 */
export function spendOneTime(id: string, now: number, code: RefusalCode): Statement {
  return guarded(spend({ id, now }), code);
}

const replace = prepare(
  query
    .update(oneTime)
    .set({
      tokenHash: given('tokenHash'),
      codeHash: given('codeHash'),
      codeExpiresAt: given('codeExpiresAt'),
    })
    .where(and(isId, isOpen, emailWaits)),
);

/**
 * The statement that puts a new code and link in the place of the old ones, if the email that
 * carries them was written; wrong tries stay counted (L04).
 */
export function replaceSecrets(values: {
  readonly id: string;
  readonly token: string;
  readonly codeHash: string;
  readonly now: number;
  readonly emailId: string;
}): Statement {
  const { token, now, ...rest } = values;
  return replace({ ...rest, now, tokenHash: hashSecret(token), codeExpiresAt: now + CODE_TTL_MS });
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

/** The statement that voids everything of a user that could still be spent. */
export function voidOneTimes(userId: string, now: number): Statement {
  return voidAll({ userId, now });
}

/** The statement that leaves at most so many of a purpose alive, the newest ones. */
export function keepNewest(values: {
  readonly userId: string;
  readonly purpose: OneTimePurpose;
  readonly keep: number;
  readonly now: number;
}): Statement {
  return voidOlder({ ...values });
}

/** Rows whose link has ended. */
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
