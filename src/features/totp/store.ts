/** TOTP authenticators: one a user, and one that waits to be confirmed. */
import { FACTOR_SPENT } from '../../core/factor/factor.ts';
import { guarded, raw } from '../../db/prepare.ts';
import type { Database, Statement } from '../../db/database.ts';

export interface TotpRow {
  readonly secretSealed: string;
  readonly lastStep: number;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
}

const find = raw<TotpRow>(
  'SELECT secret_sealed, last_step, created_at, last_used_at FROM totp WHERE user_id = :userId',
  ['secretSealed', 'lastStep', 'createdAt', 'lastUsedAt'],
);

export async function findTotp(db: Database, userId: string): Promise<TotpRow | null> {
  return (await db.read(find({ userId })))[0] ?? null;
}

const accept = raw<{ lastStep: number }>(
  'UPDATE totp SET last_step = :step, last_used_at = :now, secret_sealed = :secretSealed WHERE user_id = :userId AND last_step < :step AND created_at = :createdAt RETURNING last_step',
  ['lastStep'],
);

/**
 * The statement that accepts a code: its step and none up to it is ever accepted again, whoever is
 * faster (O01, RFC 6238 §5.2).
 */
export function acceptStep(values: {
  userId: string;
  step: number;
  createdAt: number;
  secretSealed: string;
  now: number;
}): Statement<{ lastStep: number }> {
  return guarded(accept({ ...values }), FACTOR_SPENT);
}

const propose = raw(
  `INSERT INTO totp_enrolment (user_id, secret_sealed, created_at, expires_at) VALUES (:userId, :secretSealed, :now, :expiresAt)
   ON CONFLICT (user_id) DO UPDATE SET secret_sealed = :secretSealed, created_at = :now, expires_at = :expiresAt`,
);

/** The statement that begins an enrolment, in the place of one that was begun before. */
export function insertEnrolment(values: {
  userId: string;
  secretSealed: string;
  now: number;
  expiresAt: number;
}): Statement {
  return propose({ ...values });
}

const findProposed = raw<{ secretSealed: string }>(
  'SELECT secret_sealed FROM totp_enrolment WHERE user_id = :userId AND expires_at > :now',
  ['secretSealed'],
);

export async function findEnrolment(
  db: Database,
  userId: string,
  now: number,
): Promise<string | null> {
  return (await db.read(findProposed({ userId, now })))[0]?.secretSealed ?? null;
}

const confirm = raw<{ userId: string }>(
  `INSERT INTO totp (user_id, secret_sealed, last_step, created_at)
   SELECT user_id, :secretSealed, :step, :now FROM totp_enrolment WHERE user_id = :userId AND secret_sealed = :seen AND expires_at > :now
   ON CONFLICT (user_id) DO UPDATE SET secret_sealed = :secretSealed, last_step = :step, created_at = :now, last_used_at = NULL RETURNING user_id`,
  ['userId'],
);
const drop = raw('DELETE FROM totp_enrolment WHERE user_id = :userId');

/** What a guarded confirmation says when the enrolment is over, or another one was begun. */
export const ENROLMENT_OVER = 'totp_enrolment_over';

/**
 * The statements that make the enrolment that was answered the user's authenticator, in the place
 * of a former one; `seen` is how it lay, sealed for its session.
 */
export function confirmEnrolment(values: {
  userId: string;
  seen: string;
  secretSealed: string;
  step: number;
  now: number;
}): readonly Statement[] {
  return [guarded(confirm({ ...values }), ENROLMENT_OVER), drop({ userId: values.userId })];
}

const remove = raw<{ userId: string }>(
  'DELETE FROM totp WHERE user_id = :userId RETURNING user_id',
  ['userId'],
);

/** What a guarded removal says when there is none. */
export const NO_TOTP = 'no_totp';

export function deleteTotp(userId: string): readonly Statement[] {
  return [guarded(remove({ userId }), NO_TOTP), drop({ userId })];
}
