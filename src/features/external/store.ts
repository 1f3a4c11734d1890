/** Identities at outside providers. */
import { and, eq, exists, or, sql } from 'drizzle-orm';
import { guarded, unique } from '../../core/guards.ts';
import { passwordCredential } from '../../core/password/tables.ts';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { externalIdentity as identity } from './tables.ts';

type Reader = Pick<Database, 'read'>;

export type Identity = Readonly<typeof identity.$inferSelect>;

const ofUser = eq(identity.userId, given('userId'));
const isOwn = and(ofUser, eq(identity.provider, given('provider')));

const bySubject = prepare(
  query
    .select()
    .from(identity)
    .where(and(eq(identity.issuer, given('issuer')), eq(identity.subject, given('subject'))))
    .limit(1),
);
const byUser = prepare(query.select().from(identity).where(ofUser).orderBy(identity.provider));

export async function findIdentity(
  db: Reader,
  issuer: string,
  subject: string,
): Promise<Identity | null> {
  return (await db.read(bySubject({ issuer, subject })))[0] ?? null;
}

/** A user's identities, by provider. */
export async function listIdentities(db: Reader, userId: string): Promise<readonly Identity[]> {
  return db.read(byUser({ userId }));
}

const insert = prepare(
  query.insert(identity).values({
    id: sql.placeholder('id'),
    userId: sql.placeholder('userId'),
    provider: sql.placeholder('provider'),
    issuer: sql.placeholder('issuer'),
    subject: sql.placeholder('subject'),
    email: sql.placeholder('email'),
    createdAt: sql.placeholder('createdAt'),
    lastUsedAt: sql.placeholder('lastUsedAt'),
  }),
);

/**
 * The statement that links an identity; refused with `identity_taken` when an account has it, or
 * when this user has another one of the provider: of two concurrent ones, one is linked.
 */
export function insertIdentity(values: Identity): Statement {
  return unique(insert({ ...values }), 'identity_taken');
}

const use = prepare(
  query
    .update(identity)
    .set({ lastUsedAt: given('now') })
    .where(and(eq(identity.id, given('id')), ofUser)),
);

/** The statement that records a sign-in; refused when the identity was unlinked meanwhile. */
export function useIdentity({ id, userId }: Identity, now: number): Statement {
  return guarded(use({ id, userId, now }), 'invalid_credentials');
}

const hasPassword = exists(
  query
    .select({ userId: passwordCredential.userId })
    .from(passwordCredential)
    .where(eq(passwordCredential.userId, given('userId'))),
);
const count = query.select({ count: sql<number>`count(*)` }).from(identity).where(ofUser);
const touch = prepare(
  query
    .update(identity)
    .set({ email: sql`${identity.email}` })
    .where(isOwn),
);
const remove = prepare(
  query.delete(identity).where(and(isOwn, or(hasPassword, sql`(${count}) > 1`))),
);

/**
 * The statements that unlink an identity; refused with `not_found` when this user has none of the
 * provider, and `last_sign_in_method` when neither a password nor another identity is left: if the
 * last two are removed concurrently, one stays.
 */
export function deleteIdentity(userId: string, provider: string): readonly Statement[] {
  return [
    guarded(touch({ userId, provider }), 'not_found'),
    guarded(remove({ userId, provider }), 'last_sign_in_method'),
  ];
}
