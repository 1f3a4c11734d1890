/** The table of signing keys. */
import { integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import type { JsonObject } from '../../lib/json.ts';

/**
 * Signing keys for two purposes: `access` (published in the JWKS) and `internal` (HS256, in no
 * JWKS). The generation is UNIQUE within purpose and algorithm, so that of two instances that
 * create the next key one wins.
 */
export const signingKey = sqliteTable(
  'signing_key',
  {
    kid: text().primaryKey(),
    purpose: text({ enum: ['access', 'internal'] }).notNull(),
    algorithm: text().notNull(),
    generation: integer().notNull(),
    publicJwk: text('public_jwk', { mode: 'json' }).$type<JsonObject>(),
    privateSealed: text('private_sealed').notNull(),
    createdAt: integer('created_at').notNull(),
    /** From when on it signs; it is published before that. */
    activatesAt: integer('activates_at').notNull(),
    /** Set when the key must not be trusted any more, whatever its tokens say. */
    withdrawnAt: integer('withdrawn_at'),
  },
  (table) => [
    uniqueIndex('signing_key_generation').on(table.purpose, table.algorithm, table.generation),
  ],
);
