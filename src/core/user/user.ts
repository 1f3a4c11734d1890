/**
 * Users as the core knows them. A user has a username, a verified email address, or both; an
 * unverified address is stored separately and can't be used to sign in (G10).
 */
import { and, eq, isNotNull, isNull, sql } from 'drizzle-orm';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RowOfColumns } from '../../db/prepare.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { RefusalCode } from '../../refusal.ts';
import { guarded, unique } from '../guards.ts';
import type { SignInName } from './sign-in-name.ts';
import { user } from './tables.ts';

/** The columns of {@link User}, for queries that join it. */
export const userColumns = {
  id: user.id,
  username: user.username,
  email: user.email,
  pendingEmail: user.pendingEmail,
  phone: user.phone,
  pendingPhone: user.pendingPhone,
  displayName: user.displayName,
  userMetadata: user.userMetadata,
  claims: user.claims,
  epoch: user.epoch,
  disabledAt: user.disabledAt,
  passwordChangeRequiredAt: user.passwordChangeRequiredAt,
  mfaDueAt: user.mfaDueAt,
  anonymousAt: user.anonymousAt,
  createdAt: user.createdAt,
  updatedAt: user.updatedAt,
};

export type User = RowOfColumns<typeof userColumns>;

/** The name that a user signs in with; undefined for a user without one. */
export function signInNameOf({
  username,
  email,
  phone,
}: Pick<User, 'username' | 'email' | 'phone'>): string | undefined {
  return username ?? email ?? phone ?? undefined;
}

const isUser = eq(user.id, given('id'));
export const isEnabledUser = and(isUser, isNull(user.disabledAt));

/** Greater than the time of every earlier change, whatever the clock says. */
export const touched = { updatedAt: sql`max(${user.updatedAt} + 1, ${given('now')})` };
const nextEpoch = { ...touched, epoch: sql`${user.epoch} + 1` };

/** The user with this `id`. */
export const userById = prepare(query.select(userColumns).from(user).where(isUser).limit(1));
const byUsername = prepare(
  query
    .select(userColumns)
    .from(user)
    .where(eq(user.usernameCanonical, given('canonical')))
    .limit(1),
);
const byEmail = prepare(
  query
    .select(userColumns)
    .from(user)
    .where(eq(user.emailCanonical, given('canonical')))
    .limit(1),
);

const byPhone = prepare(
  query
    .select(userColumns)
    .from(user)
    .where(eq(user.phone, given('canonical')))
    .limit(1),
);

export async function findUserById(db: Pick<Database, 'read'>, id: string): Promise<User | null> {
  return (await db.read(userById({ id })))[0] ?? null;
}

const BY_KIND = { username: byUsername, email: byEmail, phone: byPhone, unknown: byUsername };

/** The user who signs in with this name: a username, a verified address or number. */
export async function findUserBySignInName(
  db: Pick<Database, 'read'>,
  name: SignInName,
): Promise<User | null> {
  const { kind, canonical } = name;
  // A text that is not a valid name is looked up too: skipping the read would be measurable (E06).
  const find = BY_KIND[kind];
  const [found] = await db.read(find({ canonical: kind === 'unknown' ? '' : canonical }));
  return found ?? null;
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
    phone: sql.placeholder('phone'),
    displayName: sql.placeholder('displayName'),
    userMetadata: sql.placeholder('userMetadata'),
    createdAt: sql.placeholder('createdAt'),
    updatedAt: sql.placeholder('createdAt'),
  }),
);

/** The canonical forms of a user's names. */
export interface CanonicalNames {
  readonly usernameCanonical: string | null;
  readonly emailCanonical: string | null;
  readonly pendingEmailCanonical: string | null;
}

/** A new user as it will be read from the database. */
export function newUser(
  values: Pick<User, 'id' | 'createdAt'> &
    Partial<
      Pick<
        User,
        | 'username'
        | 'email'
        | 'pendingEmail'
        | 'phone'
        | 'displayName'
        | 'userMetadata'
        | 'anonymousAt'
      >
    >,
): User {
  return {
    username: null,
    email: null,
    pendingEmail: null,
    phone: null,
    pendingPhone: null,
    displayName: null,
    userMetadata: {},
    claims: {},
    epoch: 0,
    disabledAt: null,
    passwordChangeRequiredAt: null,
    mfaDueAt: null,
    anonymousAt: null,
    updatedAt: values.createdAt,
    ...values,
  };
}

/** The statement that inserts a user; a taken name is refused with `code`. */
export function insertUser(values: User, names: CanonicalNames, code: RefusalCode): Statement {
  return unique(insert({ ...values, ...names }), code);
}

const update = prepare(
  query
    .update(user)
    .set({
      ...touched,
      username: sql`coalesce(${given('username')}, ${user.username})`,
      usernameCanonical: sql`coalesce(${given('usernameCanonical')}, ${user.usernameCanonical})`,
      displayName: sql`CASE WHEN ${given('setsDisplayName')} THEN ${given('displayName')} ELSE ${user.displayName} END`,
      userMetadata: sql`coalesce(${given('userMetadata')}, ${user.userMetadata})`,
    })
    .where(isEnabledUser)
    .returning(userColumns),
);

export interface ProfileUpdate {
  readonly id: string;
  /** Null leaves a value unchanged. */
  readonly username: string | null;
  readonly usernameCanonical: string | null;
  /** `undefined` leaves it unchanged; null removes it. */
  readonly displayName: string | null | undefined;
  readonly userMetadata: JsonObject | null;
  readonly now: number;
}

/**
 * The statement that changes a profile; members that are not given are not written, so that two
 * concurrent changes both take effect. A taken username is refused.
 */
export function updateUserProfile(values: ProfileUpdate): Statement<User> {
  const { displayName, userMetadata, ...rest } = values;
  const statement = update({
    ...rest,
    setsDisplayName: displayName !== undefined,
    displayName: displayName ?? null,
    userMetadata: userMetadata === null ? null : JSON.stringify(userMetadata),
  });
  return unique(statement, 'username_taken');
}

const remove = prepare(query.delete(user).where(isUser));

/** The statement that deletes a user, and by cascade all rows that belong to it. */
export function deleteUser(id: string): Statement {
  return remove({ id });
}

const passwordSet = prepare(
  query
    .update(user)
    .set({ ...nextEpoch, passwordChangeRequiredAt: null })
    .where(isUser),
);

/**
 * The statement for a new password: everything begun with the old one is void, and a demand to
 * change it is fulfilled.
 */
export function notePasswordSet(id: string, now: number): Statement {
  return passwordSet({ id, now });
}

const advance = prepare(query.update(user).set(nextEpoch).where(isUser));

/**
 * The statement that voids everything begun in the user's present state: challenges, pending
 * sign-ins, device tokens.
 */
export function advanceEpoch(id: string, now: number): Statement {
  return advance({ id, now });
}

const advanceIf = prepare(
  query
    .update(user)
    .set(nextEpoch)
    .where(and(isEnabledUser, eq(user.epoch, given('epoch')))),
);

/** The same, only in the state in which the request was authorised; else `conflict`. */
export function advanceEpochFrom({ id, epoch }: User, now: number): Statement {
  return guarded(advanceIf({ id, epoch, now }), 'conflict');
}

const stay = prepare(
  query
    .update(user)
    .set({ epoch: given('epoch') })
    .where(and(isEnabledUser, eq(user.epoch, given('epoch')))),
);

/**
 * The statement that changes nothing and checks that the user is in the state that was read; else
 * refused with `code`.
 */
export function demandState({ id, epoch }: User, code: RefusalCode): Statement {
  return guarded(stay({ id, epoch }), code);
}

const disable = prepare(
  query
    .update(user)
    .set({ ...nextEpoch, disabledAt: given('now') })
    .where(isEnabledUser)
    .returning({ id: user.id }),
);
const enable = prepare(
  query
    .update(user)
    .set({ ...nextEpoch, disabledAt: null })
    .where(and(isUser, isNotNull(user.disabledAt)))
    .returning({ id: user.id }),
);

/** The statement that disables a user; returns no row when it was already disabled. */
export function disableUser(id: string, now: number): Statement<{ id: string }> {
  return disable({ id, now });
}

/** The statement that enables a user; returns no row when it was already enabled. */
export function enableUser(id: string, now: number): Statement<{ id: string }> {
  return enable({ id, now });
}

const demandChange = prepare(
  query
    .update(user)
    .set({ ...touched, passwordChangeRequiredAt: given('now') })
    .where(isUser),
);

/** The statement that makes the next sign-in require a new password. */
export function demandPasswordChange(id: string, now: number): Statement {
  return demandChange({ id, now });
}
