/** Who can sign in with a password. */
import { and, eq, exists, isNotNull, or, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import { passwordCredential } from '../../core/password/tables.ts';
import { user } from '../../core/user/tables.ts';
import { query } from '../../db/prepare.ts';

const hasPassword = exists(
  query
    .select({ userId: passwordCredential.userId })
    .from(passwordCredential)
    .where(eq(passwordCredential.userId, user.id)),
);

/** A password opens nothing without a name. */
export const canSignInWithPassword: SQL = sql`${and(
  hasPassword,
  or(isNotNull(user.usernameCanonical), isNotNull(user.emailCanonical), isNotNull(user.phone)),
)}`;
