/** Password credentials: one per user, each a PHC string. */
import { and, desc, eq, notInArray, sql } from 'drizzle-orm';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { guarded } from '../guards.ts';
import { passwordCredential, passwordHistory } from './tables.ts';

const ofUser = eq(passwordCredential.userId, given('userId'));
const isSeen = and(ofUser, eq(passwordCredential.passwordHash, given('seen')));

const byUser = prepare(
  query
    .select({
      passwordHash: passwordCredential.passwordHash,
      changedAt: passwordCredential.changedAt,
    })
    .from(passwordCredential)
    .where(ofUser)
    .limit(1),
);

export interface StoredPassword {
  readonly passwordHash: string;
  /** When it was set, wall-clock milliseconds. */
  readonly changedAt: number;
}

/** The stored hash, or null when the user has no password. */
export async function findPassword(
  db: Pick<Database, 'read'>,
  userId: string,
): Promise<StoredPassword | null> {
  return (await db.read(byUser({ userId })))[0] ?? null;
}

const insert = prepare(
  query.insert(passwordCredential).values({
    userId: sql.placeholder('userId'),
    passwordHash: sql.placeholder('passwordHash'),
    changedAt: sql.placeholder('now'),
  }),
);

export interface NewPassword {
  readonly userId: string;
  readonly passwordHash: string;
  readonly now: number;
}

export function insertPassword(values: NewPassword): Statement {
  return insert({ ...values });
}

const replaceIf = prepare(
  query
    .update(passwordCredential)
    .set({ passwordHash: given('next') })
    .where(isSeen),
);

/**
 * A better hash of the same password, stored only if the verified hash is still the current one.
 */
export function upgradePassword(values: {
  readonly userId: string;
  readonly seen: string;
  readonly next: string;
}): Statement {
  return replaceIf({ ...values });
}

const change = prepare(
  query
    .update(passwordCredential)
    .set({ passwordHash: given('next'), changedAt: given('now') })
    .where(isSeen),
);

/** A new password, stored only if the verified one is still the current one; else `conflict`. */
export function replacePassword(values: {
  readonly userId: string;
  readonly seen: string;
  readonly next: string;
  readonly now: number;
}): Statement {
  return guarded(change({ ...values }), 'conflict');
}

const set = prepare(
  query
    .insert(passwordCredential)
    .values({
      userId: sql.placeholder('userId'),
      passwordHash: sql.placeholder('passwordHash'),
      changedAt: sql.placeholder('now'),
    })
    .onConflictDoUpdate({
      target: passwordCredential.userId,
      set: { passwordHash: given('passwordHash'), changedAt: given('now') },
    }),
);

/** A password that replaces any existing one, set by a user who has access to the mailbox. */
export function setPassword(values: NewPassword): Statement {
  return set({ ...values });
}

const ofHistory = eq(passwordHistory.userId, given('userId'));
const newest = query
  .select({ id: passwordHistory.id })
  .from(passwordHistory)
  .where(ofHistory)
  .orderBy(desc(passwordHistory.id))
  .limit(sql.placeholder('keep'));

const remember = prepare(
  query.insert(passwordHistory).select(
    query
      .select({
        id: sql<number>`NULL`.as('id'),
        userId: passwordCredential.userId,
        passwordHash: passwordCredential.passwordHash,
        replacedAt: given('now').as('replaced_at'),
      })
      .from(passwordCredential)
      .where(and(ofUser, sql`${given('keep')} > 0`)),
  ),
);
const forget = prepare(
  query.delete(passwordHistory).where(and(ofHistory, notInArray(passwordHistory.id, newest))),
);

/**
 * The statements that move the present hash to the history and truncate the history; they run
 * before the new hash is stored.
 */
export function rememberPassword(userId: string, keep: number, now: number): readonly Statement[] {
  return [remember({ userId, keep, now }), forget({ userId, keep })];
}

const former = prepare(
  query
    .select({ passwordHash: passwordHistory.passwordHash })
    .from(passwordHistory)
    .where(ofHistory)
    .orderBy(desc(passwordHistory.id))
    .limit(sql.placeholder('keep')),
);

/** Former hashes, the newest first. */
export async function listFormerPasswords(
  db: Pick<Database, 'read'>,
  userId: string,
  keep: number,
): Promise<string[]> {
  return (await db.read(former({ userId, keep }))).map(({ passwordHash }) => passwordHash);
}
