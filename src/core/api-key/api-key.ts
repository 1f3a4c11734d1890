/** API keys as rows: found by id, created and revoked by statements for a commit. */
import { and, asc, eq, inArray, isNotNull, isNull, lte, or, sql } from 'drizzle-orm';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RowOfColumns } from '../../db/prepare.ts';
import { guarded, unique } from '../guards.ts';
import type { Sweep } from '../sweep.ts';
import { apiKey } from './tables.ts';

const columns = {
  id: apiKey.id,
  name: apiKey.name,
  scopes: apiKey.scopes,
  audiences: apiKey.audiences,
  mayExchangeTo: apiKey.mayExchangeTo,
  claims: apiKey.claims,
  createdAt: apiKey.createdAt,
  expiresAt: apiKey.expiresAt,
  lastUsedAt: apiKey.lastUsedAt,
  revokedAt: apiKey.revokedAt,
};

/** An API key without its secret. */
export type ApiKey = RowOfColumns<typeof columns>;

/** Whether a key is valid at this moment. */
export function isLiveKey({ expiresAt, revokedAt }: ApiKey, now: number): boolean {
  return revokedAt === null && (expiresAt === null || expiresAt > now);
}

const byId = prepare(
  query
    .select({ key: columns, secretHash: apiKey.secretHash })
    .from(apiKey)
    .where(eq(apiKey.id, given('id')))
    .limit(1),
);

const all = prepare(query.select(columns).from(apiKey).orderBy(asc(apiKey.id)));

/** The key of an id, with the digest of its secret; the caller checks whether it is still valid. */
export async function findApiKey(
  db: Pick<Database, 'read'>,
  id: string,
): Promise<{ readonly key: ApiKey; readonly secretHash: string } | null> {
  return (await db.read(byId({ id })))[0] ?? null;
}

/** All keys, the oldest first, including revoked and expired ones. */
export async function listApiKeys(db: Pick<Database, 'read'>): Promise<readonly ApiKey[]> {
  return db.read(all({}));
}

const ids = prepare(query.select({ id: apiKey.id }).from(apiKey));

/** The ids of all keys, including revoked and expired ones. */
export async function apiKeyIds(db: Pick<Database, 'read'>): Promise<ReadonlySet<string>> {
  return new Set((await db.read(ids({}))).map(({ id }) => id));
}

const insert = prepare(
  query.insert(apiKey).values({
    id: sql.placeholder('id'),
    name: sql.placeholder('name'),
    secretHash: sql.placeholder('secretHash'),
    scopes: sql.placeholder('scopes'),
    audiences: sql.placeholder('audiences'),
    mayExchangeTo: sql.placeholder('mayExchangeTo'),
    claims: sql.placeholder('claims'),
    createdAt: sql.placeholder('createdAt'),
    expiresAt: sql.placeholder('expiresAt'),
  }),
);

/** The statement that stores a new key; refused with `conflict` if a valid key has this name. */
export function insertApiKey(key: ApiKey, secretHash: string): Statement {
  const statement = unique(insert({ ...key, secretHash }), 'conflict');
  return { ...statement, afterwards: 'forget_api_keys' };
}

const revoke = prepare(
  query
    .update(apiKey)
    .set({ revokedAt: given('now') })
    .where(
      and(
        or(eq(apiKey.id, given('idOrName')), eq(apiKey.name, given('idOrName'))),
        isNull(apiKey.revokedAt),
      ),
    )
    .returning({ id: apiKey.id, name: apiKey.name }),
);

/**
 * The statement that revokes a key by id or name; refused with `not_found` if no valid key matches.
 */
export function revokeApiKey(
  idOrName: string,
  now: number,
): Statement<{ readonly id: string; readonly name: string }> {
  const statement = guarded(revoke({ idOrName, now }), 'not_found');
  return { ...statement, afterwards: 'forget_api_keys' };
}

const noteUse = prepare(
  query
    .update(apiKey)
    .set({ lastUsedAt: sql`max(coalesce(${apiKey.lastUsedAt}, 0), ${given('now')})` })
    .where(eq(apiKey.id, given('id'))),
);

/** The statement that records a use. */
export function noteApiKeyUse(id: string, now: number): Statement {
  return noteUse({ id, now });
}

/** Revoked and expired keys stay listed for this long. */
export const OVER_KEYS_KEPT_MS = 90 * 86_400_000;

/** Keys that were revoked or have expired. */
export const apiKeySweeps: readonly Sweep[] = [apiKey.revokedAt, apiKey.expiresAt].map((end) =>
  prepare(
    query
      .delete(apiKey)
      .where(
        inArray(
          apiKey.id,
          query
            .select({ id: apiKey.id })
            .from(apiKey)
            .where(and(isNotNull(end), lte(end, given('before'))))
            .limit(sql.placeholder('batch')),
        ),
      )
      .returning({ id: apiKey.id }),
  ),
);
