/** Passkeys: any number a user up to a limit, each credential id once in the whole service. */
import { eq, sql } from 'drizzle-orm';
import { FACTOR_SPENT } from '../../core/factor/factor.ts';
import { passkey } from '../../db/schema.ts';
import { guarded, prepare, query, raw } from '../../db/prepare.ts';
import type { Database, Statement } from '../../db/database.ts';

export interface Passkey {
  readonly id: string;
  readonly userId: string;
  /** base64url */
  readonly credentialId: string;
  /** COSE key, base64url */
  readonly publicKey: string;
  readonly counter: number;
  readonly transports: readonly string[];
  readonly name: string;
  readonly aaguid: string;
  /** 0 or 1. */
  readonly backupEligible: number;
  /** 0 or 1. */
  readonly backedUp: number;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
  readonly cloneSuspectedAt: number | null;
}

const byCredential = prepare(
  query
    .select()
    .from(passkey)
    .where(eq(passkey.credentialId, sql.placeholder('credentialId')))
    .limit(1),
);
const byUser = prepare(
  query
    .select()
    .from(passkey)
    .where(eq(passkey.userId, sql.placeholder('userId')))
    .orderBy(passkey.createdAt, passkey.id),
);

export async function findPasskeyByCredential(
  db: Database,
  credentialId: string,
): Promise<Passkey | null> {
  return (await db.read(byCredential({ credentialId })))[0] ?? null;
}

/** A user's passkeys, the oldest first. */
export async function listPasskeys(db: Database, userId: string): Promise<readonly Passkey[]> {
  return db.read(byUser({ userId }));
}

const one = raw<{ id: string }>('SELECT id FROM passkey WHERE user_id = :userId LIMIT 1', ['id']);

export async function hasPasskey(db: Database, userId: string): Promise<boolean> {
  return (await db.read(one({ userId }))).length > 0;
}

/** What a guarded insertion says when the user has as many as one may have. */
export const TOO_MANY_PASSKEYS = 'too_many_passkeys';

const insert = raw<{ id: string }>(
  `INSERT INTO passkey (id, user_id, credential_id, public_key, counter, transports, name, aaguid, backup_eligible, backed_up, created_at)
   SELECT :id, :userId, :credentialId, :publicKey, :counter, :transports, :name, :aaguid, :backupEligible, :backedUp, :createdAt
   WHERE (SELECT count(*) FROM passkey WHERE user_id = :userId) < :most RETURNING id`,
  ['id'],
);

/**
 * The statement that adds a passkey; a credential id that exists is a UniqueViolation, whoever has
 * it (§7.1 step 26, W06).
 */
export function insertPasskey(
  { lastUsedAt: _, cloneSuspectedAt: __, ...values }: Passkey,
  most: number,
): Statement<{ id: string }> {
  return guarded(
    insert({ ...values, transports: JSON.stringify(values.transports), most }),
    TOO_MANY_PASSKEYS,
  );
}

export const DECOY = 'passkey_decoy';

const nothing = raw('UPDATE passkey SET id = id WHERE 0 RETURNING id', ['id']);

/**
 * The statement that fails where a credential id of somebody would (E04): in the same commit, after
 * the same refusals.
 */
export function asIfTaken(): Statement {
  return guarded(nothing({}), DECOY);
}

const use = raw<{ id: string }>(
  `UPDATE passkey SET counter = :counter, backed_up = :backedUp, last_used_at = :now
   WHERE id = :id AND (counter < :counter OR (counter = 0 AND :counter = 0)) RETURNING id`,
  ['id'],
);

/**
 * The statement that accepts an assertion: of twenty with one counter, one (§7.2 step 22, W04).
 * Authenticators that don't count say 0. Guarded by FACTOR_SPENT.
 */
export function acceptCounter(values: {
  id: string;
  counter: number;
  backedUp: boolean;
  now: number;
}): Statement<{ id: string }> {
  return guarded(use({ ...values, backedUp: values.backedUp ? 1 : 0 }), FACTOR_SPENT);
}

const suspect = raw(
  'UPDATE passkey SET clone_suspected_at = coalesce(clone_suspected_at, :now) WHERE id = :id',
);

/** The statement that notes that there may be two of a passkey. */
export function suspectClone(id: string, now: number): Statement {
  return suspect({ id, now });
}

const rename = prepare(
  query
    .update(passkey)
    .set({ name: sql`${sql.placeholder('name')}` })
    .where(
      sql`${eq(passkey.id, sql.placeholder('id'))} and ${eq(passkey.userId, sql.placeholder('userId'))}`,
    )
    .returning(),
);

/** The statement that renames a passkey of this user; no row when there is none. */
export function renamePasskey(values: {
  id: string;
  userId: string;
  name: string;
}): Statement<Passkey> {
  return rename({ ...values });
}

/** What a guarded removal says when the passkey is gone, or is the last way to sign in. */
export const PASSKEY_NEEDED = 'passkey_needed';

const remove = raw<{ id: string }>(
  `DELETE FROM passkey WHERE id = :id AND user_id = :userId
     AND (EXISTS (SELECT 1 FROM password_credential WHERE user_id = :userId) OR EXISTS (SELECT 1 FROM passkey AS other WHERE other.user_id = :userId AND other.id <> :id))
   RETURNING id`,
  ['id'],
);

/**
 * The statement that removes a passkey, unless nothing would be left to sign in with: of the last
 * two at once, one stays (W08).
 */
export function deletePasskey(values: { id: string; userId: string }): Statement<{ id: string }> {
  return guarded(remove({ ...values }), PASSKEY_NEEDED);
}
