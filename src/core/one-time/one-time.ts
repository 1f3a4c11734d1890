/**
 * One-time codes and links, one mechanism for every purpose: issued, tried a bounded number of
 * times, spent by one conditional statement, void with all others of a user when a password, an
 * address or the account's state changes (G8).
 */
import { guarded, raw } from '../../db/prepare.ts';
import type { Database, Statement } from '../../db/database.ts';
import { hashSecret, randomToken } from '../../crypto/secret.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/id.ts';

export type OneTimePurpose = 'registration' | 'email_verification' | 'password_reset';

/** Wrong codes after which a code is dead (G8). */
export const MAX_CODE_ATTEMPTS = 5;
/** NIST SP 800-63B-4 §3.1.3, ASVS 6.5.5. */
export const CODE_TTL_MS = 10 * 60_000;

export interface OneTime {
  readonly id: string;
  readonly userId: string | null;
  readonly subject: string | null;
  readonly codeHash: string | null;
  readonly payloadSealed: string | null;
}

const COLUMNS = 'id, user_id, subject, code_hash, payload_sealed';
const NAMES = ['id', 'userId', 'subject', 'codeHash', 'payloadSealed'] as const;

const insert = raw(
  `INSERT INTO one_time (id, purpose, user_id, subject, token_hash, code_hash, payload_sealed, created_at, code_expires_at, expires_at)
   VALUES (:id, :purpose, :userId, :subject, :tokenHash, :codeHash, :payloadSealed, :now, :codeExpiresAt, :expiresAt)`,
);

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

export function insertOneTime({ token, now, ttlMs, ...values }: NewOneTime): Statement {
  return insert({
    ...values,
    tokenHash: token === null ? null : hashSecret(token),
    now,
    codeExpiresAt: now + CODE_TTL_MS,
    expiresAt: now + ttlMs,
  });
}

const insertInState = raw<{ id: string }>(
  `INSERT INTO one_time (id, purpose, user_id, subject, token_hash, code_hash, payload_sealed, created_at, code_expires_at, expires_at)
   SELECT :id, :purpose, id, :subject, :tokenHash, :codeHash, :payloadSealed, :now, :codeExpiresAt, :expiresAt
   FROM "user" WHERE id = :userId AND epoch = :epoch AND disabled_at IS NULL RETURNING id`,
  ['id'],
);

/**
 * The same, only while its user is in the state that was checked: what a replaced password asked
 * for is not given.
 */
export function insertOneTimeInState(
  { token, now, ttlMs, ...values }: NewOneTime & { readonly userId: string },
  epoch: number,
  word: string,
): Statement {
  return guarded(
    insertInState({
      ...values,
      epoch,
      tokenHash: token === null ? null : hashSecret(token),
      now,
      codeExpiresAt: now + CODE_TTL_MS,
      expiresAt: now + ttlMs,
    }),
    word,
  );
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

const tryCode = raw<OneTime>(
  `UPDATE one_time SET attempts = attempts + 1
   WHERE id = :id AND purpose = :purpose AND spent_at IS NULL AND code_expires_at > :now AND attempts < :max RETURNING ${COLUMNS}`,
  NAMES,
);

/**
 * Counts a try of a code before it is compared; null when the thing is spent, too old, or tried too
 * often.
 */
export async function countCodeTry(
  { db, clock }: { db: Database; clock: Clock },
  purpose: OneTimePurpose,
  id: string,
): Promise<OneTime | null> {
  const [[row]] = await db.write([
    tryCode({ id, purpose, now: clock.now(), max: MAX_CODE_ATTEMPTS }),
  ]);
  return row ?? null;
}

const giveBack = raw('UPDATE one_time SET attempts = attempts - 1 WHERE id = :id AND attempts > 0');

/**
 * The statement that takes a try back that was counted and then not made: too busy, nobody looked
 * at the code.
 */
export function uncountCodeTry(id: string): Statement {
  return giveBack({ id });
}

const byToken = raw<OneTime>(
  `SELECT ${COLUMNS} FROM one_time WHERE token_hash = :tokenHash AND purpose = :purpose AND spent_at IS NULL AND expires_at > :now`,
  NAMES,
);

/** The live thing that a link's token opens. */
export async function findByToken(
  { db, clock }: { db: Database; clock: Clock },
  purpose: OneTimePurpose,
  token: string,
): Promise<OneTime | null> {
  return (
    (await db.read(byToken({ tokenHash: hashSecret(token), purpose, now: clock.now() })))[0] ?? null
  );
}

const latest = raw<OneTime>(
  `SELECT ${COLUMNS} FROM one_time WHERE user_id = :userId AND purpose = :purpose AND spent_at IS NULL AND expires_at > :now ORDER BY created_at DESC, id DESC LIMIT 1`,
  NAMES,
);

/** The newest live thing of a user: an older code is dead once there is a newer one (O05). */
export async function findLatest(
  { db, clock }: { db: Database; clock: Clock },
  purpose: OneTimePurpose,
  userId: string,
): Promise<OneTime | null> {
  return (await db.read(latest({ userId, purpose, now: clock.now() })))[0] ?? null;
}

const byId = raw<OneTime>(
  `SELECT ${COLUMNS} FROM one_time WHERE id = :id AND purpose = :purpose AND spent_at IS NULL AND expires_at > :now LIMIT 1`,
  NAMES,
);

export async function findOneTime(
  { db, clock }: { db: Database; clock: Clock },
  purpose: OneTimePurpose,
  id: string,
): Promise<OneTime | null> {
  return (await db.read(byId({ id, purpose, now: clock.now() })))[0] ?? null;
}

/** What a guarded spending says when somebody else was first. */
export const ALREADY_SPENT = 'one_time_spent';

const spend = raw<{ id: string }>(
  'UPDATE one_time SET spent_at = :now, payload_sealed = NULL WHERE id = :id AND spent_at IS NULL AND expires_at > :now RETURNING id',
  ['id'],
);

/**
 * The statement that spends it: of any number at once, one gets through, and the others' lists are
 * undone.
 */
export function spendOneTime(id: string, now: number): Statement<{ id: string }> {
  return guarded(spend({ id, now }), ALREADY_SPENT);
}

const replace = raw<{ id: string }>(
  'UPDATE one_time SET token_hash = :tokenHash, code_hash = :codeHash, code_expires_at = :codeExpiresAt WHERE id = :id AND spent_at IS NULL AND expires_at > :now RETURNING id',
  ['id'],
);

/**
 * The statement that gives it a new code and link in the place of the old ones; wrong tries stay
 * counted (L04).
 */
export function replaceSecrets({
  id,
  token,
  codeHash,
  now,
}: {
  id: string;
  token: string;
  codeHash: string;
  now: number;
}): Statement<{ id: string }> {
  return guarded(
    replace({ id, tokenHash: hashSecret(token), codeHash, codeExpiresAt: now + CODE_TTL_MS, now }),
    ALREADY_SPENT,
  );
}

const voidAll = raw(
  'UPDATE one_time SET spent_at = :now, payload_sealed = NULL WHERE user_id = :userId AND spent_at IS NULL',
);
const voidPurpose = raw(
  'UPDATE one_time SET spent_at = :now, payload_sealed = NULL WHERE user_id = :userId AND purpose = :purpose AND spent_at IS NULL AND id NOT IN (SELECT id FROM one_time WHERE user_id = :userId AND purpose = :purpose AND spent_at IS NULL ORDER BY created_at DESC, id DESC LIMIT :keep)',
);

/** The statement that voids everything of a user that is still out. */
export function voidOneTimes(userId: string, now: number): Statement {
  return voidAll({ userId, now });
}

/** The statement that leaves at most so many of a purpose alive, the newest ones. */
export function keepNewest(
  userId: string,
  purpose: OneTimePurpose,
  keep: number,
  now: number,
): Statement {
  return voidPurpose({ userId, purpose, keep, now });
}

const purge = raw<{ id: string }>(
  'DELETE FROM one_time WHERE id IN (SELECT id FROM one_time WHERE expires_at <= :before LIMIT :batch) RETURNING id',
  ['id'],
);

export function purgeOneTimes(before: number, batch: number): Statement<{ id: string }> {
  return purge({ before, batch });
}
