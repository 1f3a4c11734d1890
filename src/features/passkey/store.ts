/** Passkeys: several per user up to a limit; each credential id is unique in the service. */
import { and, eq, exists, lt, or, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import { guarded, unique } from '../../core/guards.ts';
import { user } from '../../core/user/tables.ts';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { passkey } from './tables.ts';

type Reader = Pick<Database, 'read'>;

export type Passkey = Readonly<typeof passkey.$inferSelect>;

/** A higher limit would only lengthen the lists of credentials. */
export const MAX_PASSKEYS = 20;

const ofUser = eq(passkey.userId, given('userId'));
const isOwn = and(eq(passkey.id, given('id')), ofUser);

const byCredential = prepare(
  query
    .select()
    .from(passkey)
    .where(eq(passkey.credentialId, given('credentialId')))
    .limit(1),
);
const byUser = prepare(
  query.select().from(passkey).where(ofUser).orderBy(passkey.createdAt, passkey.id),
);

export async function findPasskeyByCredential(
  db: Reader,
  credentialId: string,
): Promise<Passkey | null> {
  return (await db.read(byCredential({ credentialId })))[0] ?? null;
}

/** A user's passkeys, the oldest first. */
export async function listPasskeys(db: Reader, userId: string): Promise<readonly Passkey[]> {
  return db.read(byUser({ userId }));
}

const one = prepare(query.select({ id: passkey.id }).from(passkey).where(ofUser).limit(1));

export async function hasPasskey(db: Reader, userId: string): Promise<boolean> {
  return (await db.read(one({ userId }))).length > 0;
}

const any = prepare(query.select({ id: passkey.id }).from(passkey).limit(1));

/** Whether any user has a passkey. */
export async function isAnyPasskey(db: Reader): Promise<boolean> {
  return (await db.read(any())).length > 0;
}

const ownCount = query.select({ count: sql<number>`count(*)` }).from(passkey).where(ofUser);

const insert = prepare(
  query.insert(passkey).select(
    query
      .select({
        id: given('id').as('id'),
        userId: given('userId').as('user_id'),
        credentialId: given('credentialId').as('credential_id'),
        publicKey: given('publicKey').as('public_key'),
        userHandle: given('userHandle').as('user_handle'),
        counter: given('counter').as('counter'),
        transports: given('transports').as('transports'),
        name: given('name').as('name'),
        aaguid: given('aaguid').as('aaguid'),
        backupEligible: given('backupEligible').as('backup_eligible'),
        backedUp: given('backedUp').as('backed_up'),
        createdAt: given('createdAt').as('created_at'),
        lastUsedAt: sql<null>`NULL`.as('last_used_at'),
        cloneSuspectedAt: sql<null>`NULL`.as('clone_suspected_at'),
      })
      .from(sql`(SELECT 1)`)
      .where(sql`(${ownCount}) < ${MAX_PASSKEYS}`),
  ),
);

/**
 * The statement that adds a passkey; refused with `too_many_passkeys` when the user has the
 * maximum, or `passkey_registered` when any account has the credential id (WebAuthn §7.1 step 26,
 * W06).
 */
export function insertPasskey(values: Passkey): Statement {
  const statement = insert({ ...values, transports: JSON.stringify(values.transports) });
  return unique(
    guarded(statement, 'too_many_passkeys'),
    'passkey_registered',
    'passkey.credential_id',
  );
}

const use = prepare(
  query
    .update(passkey)
    .set({
      counter: given('counter'),
      backedUp: given('backedUp'),
      lastUsedAt: given('now'),
    })
    .where(
      and(
        eq(passkey.id, given('id')),
        or(
          lt(passkey.counter, given('counter')),
          and(eq(passkey.counter, 0), sql`${given('counter')} = 0`),
        ),
      ),
    ),
);

/**
 * The statement that accepts an assertion; of several concurrent ones with the same counter one is
 * accepted, and the others are refused with `invalid_credentials` (§7.2 step 22, W04).
 * Authenticators without a counter send 0.
 */
export function acceptCounter(values: {
  readonly id: string;
  readonly counter: number;
  readonly backedUp: boolean;
  readonly now: number;
}): Statement {
  return guarded(use({ ...values }), 'invalid_credentials');
}

const suspect = prepare(
  query
    .update(passkey)
    .set({ cloneSuspectedAt: sql`coalesce(${passkey.cloneSuspectedAt}, ${given('now')})` })
    .where(eq(passkey.id, given('id'))),
);

/** The statement that records that a passkey may have been copied. */
export function suspectClone(id: string, now: number): Statement {
  return suspect({ id, now });
}

const rename = prepare(
  query
    .update(passkey)
    .set({ name: given('name') })
    .where(isOwn)
    .returning(),
);

/** The statement that renames a passkey of this user; returns no row when there is none. */
export function renamePasskey(values: {
  readonly id: string;
  readonly userId: string;
  readonly name: string;
}): Statement<Passkey> {
  return rename({ ...values });
}

const remove = prepare(query.delete(passkey).where(isOwn));

/** The statement that removes a passkey; refused with `not_found` when this user does not have it. */
export function deletePasskey(values: { readonly id: string; readonly userId: string }): Statement {
  return guarded(remove({ ...values }), 'not_found');
}

/** Whether a user can sign in with a passkey. */
export const canSignInWithPasskey: SQL = exists(
  query.select({ id: passkey.id }).from(passkey).where(eq(passkey.userId, user.id)),
);

/** Makes the statement that removes all passkeys of a user for whom the condition holds. */
export function prepareRemoveAll(condition: SQL): (userId: string) => Statement {
  const removeAll = prepare(query.delete(passkey).where(and(ofUser, condition)));
  return (userId) => removeAll({ userId });
}
