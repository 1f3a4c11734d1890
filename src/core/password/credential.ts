/** Password credentials: one a user, a PHC text each. */
import { eq, sql } from 'drizzle-orm';
import { passwordCredential } from '../../db/schema.ts';
import { guarded, prepare, query, raw } from '../../db/prepare.ts';
import type { Database, Statement } from '../../db/database.ts';

const byUser = prepare(
  query
    .select({
      passwordHash: passwordCredential.passwordHash,
      changedAt: passwordCredential.changedAt,
    })
    .from(passwordCredential)
    .where(eq(passwordCredential.userId, sql.placeholder('userId'))),
);

/** The stored hash and when it was set, or null when the user has no password. */
export async function findPassword(
  db: Database,
  userId: string,
): Promise<{ passwordHash: string; changedAt: number } | null> {
  return (await db.read(byUser({ userId })))[0] ?? null;
}

const insert = prepare(
  query.insert(passwordCredential).values({
    userId: sql.placeholder('userId'),
    passwordHash: sql.placeholder('passwordHash'),
    changedAt: sql.placeholder('now'),
  }),
);

export function insertPassword(values: {
  userId: string;
  passwordHash: string;
  now: number;
}): Statement {
  return insert({ ...values });
}

const replaceIf = raw<{ userId: string }>(
  'UPDATE password_credential SET password_hash = :next WHERE user_id = :userId AND password_hash = :seen RETURNING user_id',
  ['userId'],
);

/**
 * A better hash of the same password, only in the place of the one that was verified
 * (compare-and-swap).
 */
export function upgradePassword(values: {
  userId: string;
  seen: string;
  next: string;
}): Statement<{ userId: string }> {
  return replaceIf({ ...values });
}

/** What a guarded change says when the password is no longer the one that was verified. */
export const PASSWORD_MOVED = 'password_moved';

const change = raw<{ userId: string }>(
  'UPDATE password_credential SET password_hash = :next, changed_at = :now WHERE user_id = :userId AND password_hash = :seen RETURNING user_id',
  ['userId'],
);

/** A new password in the place of the one that was verified; of two parallel changes one wins. */
export function changePassword(values: {
  userId: string;
  seen: string;
  next: string;
  now: number;
}): Statement<{ userId: string }> {
  return guarded(change({ ...values }), PASSWORD_MOVED);
}

const set = raw(
  'INSERT INTO password_credential (user_id, password_hash, changed_at) VALUES (:userId, :passwordHash, :now) ON CONFLICT (user_id) DO UPDATE SET password_hash = :passwordHash, changed_at = :now',
);

/** A password in the place of whatever there was: by one who proved the mailbox. */
export function setPassword(values: {
  userId: string;
  passwordHash: string;
  now: number;
}): Statement {
  return set({ ...values });
}

const remember = raw(
  'INSERT INTO password_history (user_id, password_hash, replaced_at) SELECT user_id, password_hash, :now FROM password_credential WHERE user_id = :userId AND :keep > 0',
);
const forget = raw(
  'DELETE FROM password_history WHERE user_id = :userId AND id NOT IN (SELECT id FROM password_history WHERE user_id = :userId ORDER BY id DESC LIMIT :keep)',
);

/**
 * The statements that keep the present hash among the former ones, and no more of them than asked;
 * before the new one takes its place.
 */
export function rememberPassword(userId: string, keep: number, now: number): readonly Statement[] {
  return [remember({ userId, keep, now }), forget({ userId, keep })];
}

const former = raw<{ passwordHash: string }>(
  'SELECT password_hash FROM password_history WHERE user_id = :userId ORDER BY id DESC LIMIT :keep',
  ['passwordHash'],
);

/** Former hashes, the newest first. */
export async function listFormerPasswords(
  db: Database,
  userId: string,
  keep: number,
): Promise<string[]> {
  return (await db.read(former({ userId, keep }))).map(({ passwordHash }) => passwordHash);
}
