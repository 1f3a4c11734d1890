/** TOTP authenticators: one per user, and one unconfirmed enrolment. */
import { and, eq, gt, inArray, lt, lte, sql } from 'drizzle-orm';
import { guarded } from '../../core/guards.ts';
import { sealedColumn } from '../../core/sealed-value/reseal.ts';
import { session } from '../../core/session/tables.ts';
import type { Sweep } from '../../core/sweep.ts';
import { user } from '../../core/user/tables.ts';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RowOfColumns } from '../../db/prepare.ts';
import { enrolmentPlace, sealPurpose } from './authenticators.ts';
import { totp, totpEnrolment } from './tables.ts';

type Reader = Pick<Database, 'read'>;

const columns = {
  secretSealed: totp.secretSealed,
  lastStep: totp.lastStep,
  createdAt: totp.createdAt,
  lastUsedAt: totp.lastUsedAt,
};

export type StoredTotp = RowOfColumns<typeof columns>;

const ofUser = eq(totp.userId, given('userId'));
const enrolmentOfUser = eq(totpEnrolment.userId, given('userId'));
const isOpen = gt(totpEnrolment.expiresAt, given('now'));

const find = prepare(query.select(columns).from(totp).where(ofUser).limit(1));

export async function findTotp(db: Reader, userId: string): Promise<StoredTotp | null> {
  return (await db.read(find({ userId })))[0] ?? null;
}

const any = prepare(query.select({ userId: totp.userId }).from(totp).limit(1));

/** Whether any user has an authenticator. */
export async function isAnyTotp(db: Reader): Promise<boolean> {
  return (await db.read(any())).length > 0;
}

const accept = prepare(
  query
    .update(totp)
    .set({
      lastStep: given('step'),
      lastUsedAt: given('now'),
      secretSealed: given('secretSealed'),
    })
    .where(and(ofUser, lt(totp.lastStep, given('step')), eq(totp.createdAt, given('createdAt')))),
);

/**
 * The statement that accepts a code: neither its step nor an earlier one is accepted again, even
 * concurrently (O01, RFC 6238 §5.2); else `invalid_credentials`.
 */
export function acceptStep(values: {
  readonly userId: string;
  readonly step: number;
  readonly createdAt: number;
  readonly secretSealed: string;
  readonly now: number;
}): Statement {
  return guarded(accept({ ...values }), 'invalid_credentials');
}

const propose = prepare(
  query
    .insert(totpEnrolment)
    .values({
      userId: sql.placeholder('userId'),
      secretSealed: sql.placeholder('secretSealed'),
      createdAt: sql.placeholder('now'),
      expiresAt: sql.placeholder('expiresAt'),
    })
    .onConflictDoUpdate({
      target: totpEnrolment.userId,
      set: {
        secretSealed: given('secretSealed'),
        createdAt: given('now'),
        expiresAt: given('expiresAt'),
      },
    }),
);

/** The statement that starts an enrolment and replaces an unconfirmed one. */
export function insertEnrolment(values: {
  readonly userId: string;
  readonly secretSealed: string;
  readonly now: number;
  readonly expiresAt: number;
}): Statement {
  return propose({ ...values });
}

const findProposed = prepare(
  query
    .select({ secretSealed: totpEnrolment.secretSealed })
    .from(totpEnrolment)
    .where(and(enrolmentOfUser, isOpen))
    .limit(1),
);

/** The sealed seed of an enrolment that can still be confirmed. */
export async function findEnrolment(
  db: Reader,
  userId: string,
  now: number,
): Promise<string | null> {
  return (await db.read(findProposed({ userId, now })))[0]?.secretSealed ?? null;
}

const confirm = prepare(
  query
    .insert(totp)
    .select(
      query
        .select({
          userId: totpEnrolment.userId,
          secretSealed: given('secretSealed').as('secret_sealed'),
          lastStep: given('step').as('last_step'),
          createdAt: given('now').as('created_at'),
          lastUsedAt: sql<null>`NULL`.as('last_used_at'),
        })
        .from(totpEnrolment)
        .where(and(enrolmentOfUser, eq(totpEnrolment.secretSealed, given('seen')), isOpen)),
    )
    .onConflictDoUpdate({
      target: totp.userId,
      set: {
        secretSealed: given('secretSealed'),
        lastStep: given('step'),
        createdAt: given('now'),
        lastUsedAt: null,
      },
    }),
);
const dropEnrolment = prepare(query.delete(totpEnrolment).where(enrolmentOfUser));

/**
 * The statements that make the confirmed enrolment the user's authenticator and replace a former
 * one; else `conflict`. `seen` is its sealed seed as it was read.
 */
export function confirmEnrolment(values: {
  readonly userId: string;
  readonly seen: string;
  readonly secretSealed: string;
  readonly step: number;
  readonly now: number;
}): readonly Statement[] {
  const { userId } = values;
  return [guarded(confirm({ ...values }), 'conflict'), dropEnrolment({ userId })];
}

const insert = prepare(
  query.insert(totp).values({
    userId: sql.placeholder('userId'),
    secretSealed: sql.placeholder('secretSealed'),
    lastStep: -1,
    createdAt: sql.placeholder('now'),
  }),
);

/** The statement that stores the authenticator of a user who was imported. */
export function insertTotp(values: {
  readonly userId: string;
  readonly secretSealed: string;
  readonly now: number;
}): Statement {
  return insert({ ...values });
}

const remove = prepare(query.delete(totp).where(ofUser));

/** The statements that remove the authenticator and an unconfirmed enrolment. */
export function removeTotp(userId: string): readonly [Statement, Statement] {
  return [remove({ userId }), dropEnrolment({ userId })];
}

/** Enrolments that were not confirmed in time. */
export const enrolmentSweep: Sweep = prepare(
  query
    .delete(totpEnrolment)
    .where(
      inArray(
        totpEnrolment.userId,
        query
          .select({ userId: totpEnrolment.userId })
          .from(totpEnrolment)
          .where(lte(totpEnrolment.expiresAt, given('before')))
          .limit(sql.placeholder('batch')),
      ),
    )
    .returning({ userId: totpEnrolment.userId }),
);

const limit = sql.placeholder('limit');

const seeds = sealedColumn(
  'totp.secret_sealed',
  {
    page: prepare(
      query
        .select({ key: totp.userId, sealed: totp.secretSealed })
        .from(totp)
        .where(gt(totp.userId, given('after')))
        .orderBy(totp.userId)
        .limit(limit),
    ),
    replace: prepare(
      query
        .update(totp)
        .set({ secretSealed: given('sealed') })
        .where(and(eq(totp.userId, given('key')), eq(totp.secretSealed, given('seen'))))
        .returning({ userId: totp.userId }),
    ),
  },
  ({ key }) => [sealPurpose(key)],
);

/** The session to which it was shown is not stored: it is one of the user's. */
const enrolments = sealedColumn(
  'totp_enrolment.secret_sealed',
  {
    page: prepare(
      query
        .select({
          key: totpEnrolment.userId,
          sealed: totpEnrolment.secretSealed,
          epoch: user.epoch,
          sessions: sql<string>`(select json_group_array(${session.id}) from ${session} where ${session.userId} = ${totpEnrolment.userId})`,
        })
        .from(totpEnrolment)
        .innerJoin(user, eq(user.id, totpEnrolment.userId))
        .where(gt(totpEnrolment.userId, given('after')))
        .orderBy(totpEnrolment.userId)
        .limit(limit),
    ),
    replace: prepare(
      query
        .update(totpEnrolment)
        .set({ secretSealed: given('sealed') })
        .where(
          and(
            eq(totpEnrolment.userId, given('key')),
            eq(totpEnrolment.secretSealed, given('seen')),
          ),
        )
        .returning({ userId: totpEnrolment.userId }),
    ),
  },
  ({ key: userId, epoch, sessions }) => {
    const ids: unknown = JSON.parse(sessions);
    return Array.isArray(ids)
      ? ids.map((id) => enrolmentPlace({ userId, sessionId: String(id), epoch }))
      : [];
  },
);

/** For re-encryption when the key-encryption key changes. */
export const sealedSeeds = [seeds, enrolments];
