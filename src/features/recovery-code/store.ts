/** Unused recovery codes, each stored as a password hash. */
import { and, eq, sql } from 'drizzle-orm';
import { guarded } from '../../core/guards.ts';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { recoveryCode } from './tables.ts';

type Reader = Pick<Database, 'read'>;

const ofUser = eq(recoveryCode.userId, given('userId'));
const isSelected = and(ofUser, eq(recoveryCode.selector, given('selector')));

const remove = prepare(query.delete(recoveryCode).where(ofUser));
const insert = prepare(
  query.insert(recoveryCode).values({
    userId: sql.placeholder('userId'),
    selector: sql.placeholder('selector'),
    codeHash: sql.placeholder('codeHash'),
    createdAt: sql.placeholder('now'),
  }),
);

/** The statement that removes all codes of a user. */
export function removeRecoveryCodes(userId: string): Statement {
  return remove({ userId });
}

/** The statement that adds a code. */
export function insertRecoveryCode(values: {
  readonly userId: string;
  readonly selector: string;
  readonly codeHash: string;
  readonly now: number;
}): Statement {
  return insert({ ...values });
}

const count = prepare(
  query.select({ count: sql<number>`count(*)` }).from(recoveryCode).where(ofUser),
);

export async function countRecoveryCodes(db: Reader, userId: string): Promise<number> {
  return (await db.read(count({ userId })))[0]?.count ?? 0;
}

const any = prepare(query.select({ userId: recoveryCode.userId }).from(recoveryCode).limit(1));

/** Whether any user has codes. */
export async function isAnyRecoveryCode(db: Reader): Promise<boolean> {
  return (await db.read(any())).length > 0;
}

const find = prepare(
  query.select({ codeHash: recoveryCode.codeHash }).from(recoveryCode).where(isSelected).limit(1),
);

/** The stored hash of the code with this selector. */
export async function findRecoveryCode(
  db: Reader,
  userId: string,
  selector: string,
): Promise<string | null> {
  return (await db.read(find({ userId, selector })))[0]?.codeHash ?? null;
}

const spend = prepare(
  query.delete(recoveryCode).where(and(isSelected, eq(recoveryCode.codeHash, given('codeHash')))),
);

/**
 * The statement that spends a code: of several concurrent uses one succeeds, and the others are
 * refused with `invalid_credentials`.
 */
export function spendRecoveryCode(values: {
  readonly userId: string;
  readonly selector: string;
  readonly codeHash: string;
}): Statement {
  return guarded(spend({ ...values }), 'invalid_credentials');
}
