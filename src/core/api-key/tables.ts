/** The table of API keys. */
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import type { JsonObject } from '../../lib/json.ts';
import type { ApiKeyScope } from './scope.ts';

/** Keys of sibling services and of operators' programs. The secret is stored as a digest only. */
export const apiKey = sqliteTable(
  'api_key',
  {
    id: text().primaryKey(),
    name: text().notNull(),
    secretHash: text('secret_hash').notNull(),
    scopes: text({ mode: 'json' }).$type<readonly ApiKeyScope[]>().notNull(),
    /** Audiences that it may ask tokens of its own for (client_credentials). */
    audiences: text({ mode: 'json' }).$type<readonly string[]>().notNull().default([]),
    /** Audiences that it may exchange users' tokens for; none by default. */
    mayExchangeTo: text('may_exchange_to', { mode: 'json' })
      .$type<readonly string[]>()
      .notNull()
      .default([]),
    /** Claims of its own tokens, as an operator set them. */
    claims: text({ mode: 'json' }).$type<JsonObject>().notNull().default({}),
    createdAt: integer('created_at').notNull(),
    /** Null: never. */
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
