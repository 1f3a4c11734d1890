/** The rows of signing keys: read whole, added one at a time, withdrawn and never deleted. */
import { and, eq, gt, isNull, sql } from 'drizzle-orm';
import { given, prepare, query } from '../../db/prepare.ts';
import { signingKey } from './tables.ts';

export type SigningKeyRow = Readonly<typeof signingKey.$inferSelect>;

export const allKeys = prepare(
  query.select().from(signingKey).orderBy(signingKey.activatesAt, signingKey.generation),
);

/** Returns no row when another process has made the key of this generation. */
export const insertKey = prepare(
  query
    .insert(signingKey)
    .values({
      kid: sql.placeholder('kid'),
      purpose: sql.placeholder('purpose'),
      algorithm: sql.placeholder('algorithm'),
      generation: sql.placeholder('generation'),
      publicJwk: sql.placeholder('publicJwk'),
      privateSealed: sql.placeholder('privateSealed'),
      createdAt: sql.placeholder('now'),
      activatesAt: sql.placeholder('activatesAt'),
    })
    .onConflictDoNothing()
    .returning({ kid: signingKey.kid }),
);

export const withdrawOthers = prepare(
  query
    .update(signingKey)
    .set({ withdrawnAt: sql`${sql.placeholder('now')}` })
    .where(
      sql`${eq(signingKey.purpose, sql.placeholder('purpose'))} and ${signingKey.kid} <> ${sql.placeholder('kid')} and ${isNull(signingKey.withdrawnAt)}`,
    ),
);

export const sealedPage = prepare(
  query
    .select({ key: signingKey.kid, sealed: signingKey.privateSealed })
    .from(signingKey)
    .where(gt(signingKey.kid, given('after')))
    .orderBy(signingKey.kid)
    .limit(sql.placeholder('limit')),
);

export const replaceSealed = prepare(
  query
    .update(signingKey)
    .set({ privateSealed: given('sealed') })
    .where(and(eq(signingKey.kid, given('key')), eq(signingKey.privateSealed, given('seen'))))
    .returning({ kid: signingKey.kid }),
);
