/** The table of API keys. */
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import type { JsonObject } from '../../lib/json.ts';
import type { ApiKeyScope } from './scope.ts';

/** Keys of sibling services and of operators' programs. Only a digest of the secret is stored. */
export const apiKey = sqliteTable(
  'api_key',
  {
    id: text().primaryKey(),
    name: text().notNull(),
    secretHash: text('secret_hash').notNull(),
    scopes: text({ mode: 'json' }).$type<readonly ApiKeyScope[]>().notNull(),
    /** Audiences for which it may request tokens of its own (client_credentials). */
    audiences: text({ mode: 'json' }).$type<readonly string[]>().notNull().default([]),
    /** Audiences that it may exchange users' tokens for; none by default. */
    mayExchangeTo: text('may_exchange_to', { mode: 'json' })
      .$type<readonly string[]>()
      .notNull()
      .default([]),
    /** Claims of its own tokens, set by an operator. */
    claims: text({ mode: 'json' }).$type<JsonObject>().notNull().default({}),
    createdAt: integer('created_at').notNull(),
    /** Null if it never expires. */
    expiresAt: integer('expires_at'),
    lastUsedAt: integer('last_used_at'),
    revokedAt: integer('revoked_at'),
  },
  (table) => [
    uniqueIndex('api_key_name').on(table.name).where(sql`revoked_at IS NULL`),
    index('api_key_revoked_at').on(table.revokedAt).where(sql`revoked_at IS NOT NULL`),
    index('api_key_expires_at').on(table.expiresAt).where(sql`expires_at IS NOT NULL`),
  ],
);
