/** Identities at outside providers, and sign-ins there that have begun. */
import { and, eq, exists, gt, inArray, isNull, lte, notExists, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import { guarded, unique } from '../../core/guards.ts';
import type { Sweep } from '../../core/sweep.ts';
import { user } from '../../core/user/tables.ts';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RefusalCode } from '../../refusal.ts';
import { externalFlow as flow, externalIdentity as identity } from './tables.ts';

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

const remove = prepare(query.delete(identity).where(isOwn));

/**
 * The statement that unlinks an identity; refused with `not_found` when this user has none of the
 * provider.
 */
export function deleteIdentity(userId: string, provider: string): Statement {
  return guarded(remove({ userId, provider }), 'not_found');
}

/** Whether a user can sign in with an identity of one of these providers. */
export function canSignInWith(providers: readonly string[]): SQL {
  return exists(
    query
      .select({ id: identity.id })
      .from(identity)
      .where(and(eq(identity.userId, user.id), inArray(identity.provider, [...providers]))),
  );
}

const isWaiting = and(isNull(flow.spentAt), gt(flow.expiresAt, given('now')));

const begin = prepare(
  query.insert(flow).select(
    query
      .select({
        id: sql`${given('id')}`.as('id'),
        provider: sql`${given('provider')}`.as('provider'),
        redirectUri: sql`${given('redirectUri')}`.as('redirect_uri'),
        expiresAt: sql`${given('expiresAt')}`.as('expires_at'),
        spentAt: sql`NULL`.as('spent_at'),
      })
      .from(sql`(SELECT 1)`)
      .where(
        notExists(
          query
            .select({ one: sql`1` })
            .from(flow)
            .where(gt(flow.expiresAt, given('now')))
            .limit(1)
            .offset(sql.placeholder('spared')),
        ),
      ),
  ),
);

/** The statement that begins a flow; beyond `most`, spent ones included, refused with `full`. */
export function insertFlow(
  values: Omit<typeof flow.$inferInsert, 'spentAt'>,
  { now, most, full }: { readonly now: number; readonly most: number; readonly full: RefusalCode },
): Statement {
  return guarded(begin({ ...values, now, spared: most - 1 }), full);
}

const end = prepare(
  query
    .update(flow)
    .set({ spentAt: given('now') })
    .where(and(eq(flow.id, given('id')), eq(flow.provider, given('provider')), isWaiting))
    .returning({ redirectUri: flow.redirectUri }),
);

/** The statement that spends a flow of this provider; returns nothing if it is spent or expired. */
export function spendFlow(values: {
  readonly id: string;
  readonly provider: string;
  readonly now: number;
}): Statement<{ readonly redirectUri: string }> {
  return end({ ...values });
}

/** Flows that have expired. */
export const flowSweep: Sweep = prepare(
  query
    .delete(flow)
    .where(
      inArray(
        flow.id,
        query
          .select({ id: flow.id })
          .from(flow)
          .where(lte(flow.expiresAt, given('before')))
          .limit(sql.placeholder('batch')),
      ),
    )
    .returning({ id: flow.id }),
);
