/**
 * Users as the core knows them. A user has a username, a proved e-mail address, or both; an address
 * that nobody proved stands apart and is no sign-in name (G10).
 */
import { eq, sql } from 'drizzle-orm';
import { user } from '../../db/schema.ts';
import type { JsonObject } from '../../db/schema.ts';
import { guarded, prepare, query, raw } from '../../db/prepare.ts';
import { UniqueViolation } from '../../db/database.ts';
import type { Database, SqlValue, Statement } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import { isJsonObject } from '../../lib/json.ts';
import type { SignInName } from './sign-in-name.ts';

export interface User {
  readonly id: string;
  readonly username: string | null;
  readonly email: string | null;
  readonly pendingEmail: string | null;
  readonly displayName: string | null;
  readonly userMetadata: JsonObject;
  readonly claims: JsonObject;
  /** Moves with every change that must void what was begun before it. */
  readonly epoch: number;
  readonly disabledAt: number | null;
  /** Since when the password has to be changed before signing in; null when it need not. */
  readonly passwordChangeRequiredAt: number | null;
  /**
   * Until when the user may come in without the second factor that the policy asks for; null when
   * that time has not begun.
   */
  readonly mfaDueAt: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** The columns of {@link User}, for queries that join it. */
export const userColumns = {
  id: user.id,
  username: user.username,
  email: user.email,
  pendingEmail: user.pendingEmail,
  displayName: user.displayName,
  userMetadata: user.userMetadata,
  claims: user.claims,
  epoch: user.epoch,
  disabledAt: user.disabledAt,
  passwordChangeRequiredAt: user.passwordChangeRequiredAt,
  mfaDueAt: user.mfaDueAt,
  createdAt: user.createdAt,
  updatedAt: user.updatedAt,
};

const byId = prepare(
  query
    .select(userColumns)
    .from(user)
    .where(eq(user.id, sql.placeholder('id')))
    .limit(1),
);
const byUsername = prepare(
  query
    .select(userColumns)
    .from(user)
    .where(eq(user.usernameCanonical, sql.placeholder('canonical')))
    .limit(1),
);
const byEmail = prepare(
  query
    .select(userColumns)
    .from(user)
    .where(eq(user.emailCanonical, sql.placeholder('canonical')))
    .limit(1),
);

export async function findUserById(db: Database, id: string): Promise<User | null> {
  return (await db.read(byId({ id })))[0] ?? null;
}

/** The user who signs in with this name: a username, or a proved address. */
export async function findUserBySignInName(db: Database, name: SignInName): Promise<User | null> {
  switch (name.kind) {
    case 'username':
      return (await db.read(byUsername({ canonical: name.canonical })))[0] ?? null;
    case 'email':
      return (await db.read(byEmail({ canonical: name.canonical })))[0] ?? null;
    case 'unknown':
      return null;
  }
}

const insert = prepare(
  query.insert(user).values({
    id: sql.placeholder('id'),
    username: sql.placeholder('username'),
    usernameCanonical: sql.placeholder('usernameCanonical'),
    email: sql.placeholder('email'),
    emailCanonical: sql.placeholder('emailCanonical'),
    pendingEmail: sql.placeholder('pendingEmail'),
    pendingEmailCanonical: sql.placeholder('pendingEmailCanonical'),
    displayName: sql.placeholder('displayName'),
    userMetadata: sql.placeholder('userMetadata'),
    createdAt: sql.placeholder('now'),
    updatedAt: sql.placeholder('now'),
  }),
);

export interface NewUser {
  readonly id: string;
  readonly username: string | null;
  readonly usernameCanonical: string | null;
  /** A proved address. */
  readonly email: string | null;
  readonly emailCanonical: string | null;
  readonly pendingEmail: string | null;
  readonly pendingEmailCanonical: string | null;
  readonly displayName: string | null;
  readonly userMetadata: JsonObject;
  readonly now: number;
}

/**
 * The statement that makes a user; a taken name is a UniqueViolation of the write that it stands
 * in.
 */
export function insertUser(values: NewUser): Statement {
  return insert({ ...values });
}

const COLUMNS =
  'id, username, email, pending_email, display_name, user_metadata, claims, epoch, disabled_at, password_change_required_at, mfa_due_at, created_at, updated_at';

const update = raw<User>(
  `UPDATE "user" SET
     username = coalesce(:username, username),
     username_canonical = coalesce(:usernameCanonical, username_canonical),
     display_name = CASE WHEN :setDisplayName THEN :displayName ELSE display_name END,
     user_metadata = coalesce(:userMetadata, user_metadata),
     updated_at = max(:now, updated_at + 1)
   WHERE id = :id AND disabled_at IS NULL RETURNING ${COLUMNS}`,
  userFromRow,
);

export interface ProfileUpdate {
  readonly id: string;
  /** What is null stays as it is. */
  readonly username: string | null;
  readonly usernameCanonical: string | null;
  /** `undefined` stays as it is; null takes it away. */
  readonly displayName: string | null | undefined;
  readonly userMetadata: JsonObject | null;
  readonly now: number;
}

/**
 * The statement that changes a profile; what isn't given is not read and written back, so that two
 * changes at once both hold.
 */
export function updateUserProfile(values: ProfileUpdate): Statement<User> {
  const { displayName, userMetadata, ...rest } = values;
  return update({
    ...rest,
    setDisplayName: displayName === undefined ? 0 : 1,
    displayName: displayName ?? null,
    userMetadata: userMetadata === null ? null : JSON.stringify(userMetadata),
  });
}

function userFromRow(row: SqlValue[]): User {
  const [
    id,
    username,
    email,
    pendingEmail,
    displayName,
    userMetadata,
    claims,
    epoch,
    disabledAt,
    passwordChangeRequiredAt,
    mfaDueAt,
    createdAt,
    updatedAt,
  ] = row;
  return {
    id: String(id),
    username: textOrNull(username),
    email: textOrNull(email),
    pendingEmail: textOrNull(pendingEmail),
    displayName: textOrNull(displayName),
    userMetadata: jsonObject(userMetadata),
    claims: jsonObject(claims),
    epoch: Number(epoch),
    disabledAt: numberOrNull(disabledAt),
    passwordChangeRequiredAt: numberOrNull(passwordChangeRequiredAt),
    mfaDueAt: numberOrNull(mfaDueAt),
    createdAt: Number(createdAt),
    updatedAt: Number(updatedAt),
  };
}

function numberOrNull(value: SqlValue | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}

function textOrNull(value: SqlValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function jsonObject(value: SqlValue | undefined): JsonObject {
  const parsed: unknown = JSON.parse(String(value));
  return isJsonObject(parsed) ? parsed : {};
}

const remove = prepare(
  query
    .delete(user)
    .where(eq(user.id, sql.placeholder('id')))
    .returning({ id: user.id }),
);

/** The statement that deletes a user; everything that hangs on one goes with it. */
export function deleteUser(id: string): Statement<{ id: string }> {
  return remove({ id });
}

/** A new password is what was demanded, if anything was. */
const passwordSet = raw(
  'UPDATE "user" SET epoch = epoch + 1, password_change_required_at = NULL, updated_at = max(updated_at + 1, :now) WHERE id = :id',
);

/**
 * The statement that goes with a new password: what was begun with the old one is void, and no
 * change is demanded any more.
 */
export function notePasswordSet(id: string, now: number): Statement {
  return passwordSet({ id, now });
}

const advance = raw<{ epoch: number }>(
  'UPDATE "user" SET epoch = epoch + 1, updated_at = max(updated_at + 1, :now) WHERE id = :id RETURNING epoch',
  ['epoch'],
);

/**
 * The statement that voids everything begun in the user's present state: challenges, half-done
 * sign-ins, device tokens.
 */
export function advanceEpoch(id: string, now: number): Statement<{ epoch: number }> {
  return advance({ id, now });
}

const advanceIf = raw<{ epoch: number }>(
  'UPDATE "user" SET epoch = epoch + 1, updated_at = max(updated_at + 1, :now) WHERE id = :id AND epoch = :epoch AND disabled_at IS NULL RETURNING epoch',
  ['epoch'],
);

/** The same, only from the state that the request was authorised in. */
export function advanceEpochIf(
  id: string,
  epoch: number,
  word: string,
  now: number,
): Statement<{ epoch: number }> {
  return guarded(advanceIf({ id, epoch, now }), word);
}

const mfaDue = raw('UPDATE "user" SET mfa_due_at = :dueAt WHERE id = :id');
const mfaDueOnce = raw(
  'UPDATE "user" SET mfa_due_at = coalesce(mfa_due_at, :dueAt) WHERE id = :id',
);

/**
 * The statement that begins the time in which a second factor has to be enrolled, if it has not
 * begun.
 */
export function beginMfaGrace(id: string, dueAt: number): Statement {
  return mfaDueOnce({ id, dueAt });
}

/** The statement that sets or forgets when a second factor is due. */
export function setMfaDue(id: string, dueAt: number | null): Statement {
  return mfaDue({ id, dueAt });
}

const setPending = raw<User>(
  `UPDATE "user" SET pending_email = :pendingEmail, pending_email_canonical = :pendingEmailCanonical, updated_at = max(updated_at + 1, :now) WHERE id = :id AND disabled_at IS NULL RETURNING ${COLUMNS}`,
  userFromRow,
);

/**
 * The statement that notes an address that its user has yet to prove; it reserves nothing (G10).
 */
export function setPendingEmail(values: {
  id: string;
  pendingEmail: string | null;
  pendingEmailCanonical: string | null;
  now: number;
}): Statement<User> {
  return setPending({ ...values });
}

/**
 * A new address begun under the old password or factors is begun again under the new ones (G9,
 * R08); a first address stays, for it stands in no other's place.
 */
export function dropPendingAddress(
  user: Pick<User, 'id' | 'email'>,
  now: number,
): readonly Statement[] {
  return user.email === null
    ? []
    : [setPendingEmail({ id: user.id, pendingEmail: null, pendingEmailCanonical: null, now })];
}

/** What a guarded proof says when the pending address is another one by now. */
export const PENDING_MOVED = 'pending_email_moved';

const prove = raw<User>(
  `UPDATE "user" SET email = pending_email, email_canonical = pending_email_canonical, pending_email = NULL, pending_email_canonical = NULL, updated_at = max(updated_at + 1, :now)
   WHERE id = :id AND pending_email_canonical = :canonical AND disabled_at IS NULL RETURNING ${COLUMNS}`,
  userFromRow,
);

/**
 * The statement that makes the pending address the proved one; a UniqueViolation when somebody
 * proved it first.
 */
export function proveEmail(values: {
  id: string;
  canonical: string;
  now: number;
}): Statement<User> {
  return guarded(prove({ ...values }), PENDING_MOVED);
}

const lapse = raw(
  'UPDATE "user" SET pending_email = NULL, pending_email_canonical = NULL WHERE pending_email_canonical = :canonical AND id <> :exceptId',
);

/**
 * The statement by which an address that was proved lapses from every account that only claimed it
 * (G10).
 */
export function lapsePendingEmails(canonical: string, exceptId: string): Statement {
  return lapse({ canonical, exceptId });
}

const disable = raw<{ id: string }>(
  'UPDATE "user" SET disabled_at = :now, epoch = epoch + 1, updated_at = max(updated_at + 1, :now) WHERE id = :id AND disabled_at IS NULL RETURNING id',
  ['id'],
);
const enable = raw<{ id: string }>(
  'UPDATE "user" SET disabled_at = NULL, epoch = epoch + 1, updated_at = max(updated_at + 1, :now) WHERE id = :id AND disabled_at IS NOT NULL RETURNING id',
  ['id'],
);

export function disableUser(id: string, now: number): Statement<{ id: string }> {
  return disable({ id, now });
}

export function enableUser(id: string, now: number): Statement<{ id: string }> {
  return enable({ id, now });
}

const demandChange = raw<{ id: string }>(
  'UPDATE "user" SET password_change_required_at = :now, updated_at = max(updated_at + 1, :now) WHERE id = :id RETURNING id',
  ['id'],
);

/** The statement by which the next sign-in asks for a new password. */
export function demandPasswordChange(id: string, now: number): Statement<{ id: string }> {
  return demandChange({ id, now });
}

const page = prepare(
  query
    .select(userColumns)
    .from(user)
    .where(sql`${user.id} > ${sql.placeholder('after')}`)
    .orderBy(user.id)
    .limit(sql.placeholder('limit')),
);

/** Users in the order in which they came, after an id. */
export async function listUsers(db: Database, after: string, limit: number): Promise<User[]> {
  return db.read(page({ after, limit }));
}

/**
 * Of those who ask for one name at once, the constraint lets one through. @throws {Refusal}
 * username_taken
 */
export async function takingName<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UniqueViolation) throw new Refusal('username_taken', { cause: error });
    throw error;
  }
}
