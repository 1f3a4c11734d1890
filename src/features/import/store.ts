/** What an import reads and writes of users. */
import { eq, or, sql } from 'drizzle-orm';
import { user } from '../../core/user/tables.ts';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { JsonObject } from '../../lib/json.ts';

const named = prepare(
  query
    .select({ id: user.id, externalId: user.externalId })
    .from(user)
    .where(or(eq(user.id, given('id')), eq(user.externalId, given('externalId'))))
    .limit(2),
);

export interface Named {
  readonly id: string;
  readonly externalId: string | null;
}

/** The users that have this id, or this name of another system. */
export async function findNamed(
  db: Pick<Database, 'read'>,
  { id, externalId }: { readonly id: string | null; readonly externalId: string | null },
): Promise<readonly Named[]> {
  return db.read(named({ id: id ?? '', externalId }));
}

const insert = prepare(
  query.insert(user).values({
    id: sql.placeholder('id'),
    externalId: sql.placeholder('externalId'),
    username: sql.placeholder('username'),
    usernameCanonical: sql.placeholder('usernameCanonical'),
    email: sql.placeholder('email'),
    emailCanonical: sql.placeholder('emailCanonical'),
    pendingEmail: sql.placeholder('pendingEmail'),
    pendingEmailCanonical: sql.placeholder('pendingEmailCanonical'),
    phone: sql.placeholder('phone'),
    displayName: sql.placeholder('displayName'),
    userMetadata: sql.placeholder('userMetadata'),
    claims: sql.placeholder('claims'),
    disabledAt: sql.placeholder('disabledAt'),
    passwordChangeRequiredAt: sql.placeholder('passwordChangeRequiredAt'),
    createdAt: sql.placeholder('createdAt'),
    updatedAt: sql.placeholder('updatedAt'),
  }),
);

export interface ImportedUser extends Named {
  readonly username: string | null;
  readonly usernameCanonical: string | null;
  readonly email: string | null;
  readonly emailCanonical: string | null;
  readonly pendingEmail: string | null;
  readonly pendingEmailCanonical: string | null;
  readonly phone: string | null;
  readonly displayName: string | null;
  readonly userMetadata: JsonObject;
  readonly claims: JsonObject;
  readonly disabledAt: number | null;
  readonly passwordChangeRequiredAt: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** The statement that inserts a user as another system had it; a taken name is a violation. */
export function insertImported(values: ImportedUser): Statement {
  return insert({ ...values });
}
