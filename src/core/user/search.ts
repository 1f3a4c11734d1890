/**
 * Finding users for operators: a page of all of them, or of those whose username or verified
 * address begins with a text. A cursor is a place in an index, so that a page is the same work wherever it
 * begins, and what is inserted meanwhile moves nothing.
 */
import { and, asc, eq, gt, gte, isNotNull, lt, ne, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import type { Database } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RowOfColumns } from '../../db/prepare.ts';
import { invalidRequest } from '../../refusal.ts';
import { canonicalPrefix } from './sign-in-name.ts';
import { user } from './tables.ts';
import { userColumns } from './user.ts';

/** The columns of {@link ListedUser}. */
export const listedColumns = { ...userColumns, externalId: user.externalId };

/** A user with what operators alone are shown. */
export type ListedUser = RowOfColumns<typeof listedColumns>;

export interface UserSearch {
  /** What the username or the verified address begins with; all users without it. */
  readonly prefix?: string | undefined;
  readonly disabled?: boolean | undefined;
  readonly limit: number;
  /** From the page before. */
  readonly cursor?: string | undefined;
}

export interface UserPage {
  readonly users: readonly ListedUser[];
  /** Null after the last page. */
  readonly nextCursor: string | null;
}

const listed = (where: SQL | undefined, order: AnySQLiteColumn) =>
  prepare(
    query
      .select({ user: listedColumns, key: order })
      .from(user)
      .where(where)
      .orderBy(asc(order))
      .limit(sql.placeholder('limit')),
  );

const all = listed(gt(user.id, given('after')), user.id);
const disabledOnly = listed(and(gt(user.id, given('after')), isNotNull(user.disabledAt)), user.id);

const inRange = (column: AnySQLiteColumn): SQL | undefined =>
  and(gte(column, given('from')), lt(column, given('end')), ne(column, given('after')));

/** Whether the username is in the range: such a user came before those of the addresses. */
const wasListed = sql`coalesce(${user.usernameCanonical}, '') >= ${given('begin')}
  AND coalesce(${user.usernameCanonical}, '') < ${given('usernameEnd')}`;

const byUsername = listed(inRange(user.usernameCanonical), user.usernameCanonical);
const byEmail = listed(
  and(inRange(user.emailCanonical), sql`NOT (${wasListed})`),
  user.emailCanonical,
);

const STAGES = ['id', 'username', 'email'] as const;
type Stage = (typeof STAGES)[number];

interface Place {
  readonly stage: Stage;
  /** The last key that was looked at; empty at the beginning. */
  readonly after: string;
}

const cursorOf = ({ stage, after }: Place): string =>
  Buffer.from(`${stage}:${after}`).toString('base64url');

/** @throws {Refusal} invalid_request */
function placeOf(cursor: string, stages: readonly Stage[]): Place {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const colon = text.indexOf(':');
  const stage = stages.find((name) => name === text.slice(0, Math.max(0, colon)));
  const after = text.slice(colon + 1);
  if (stage !== undefined && cursorOf({ stage, after }) === cursor && !after.includes('\0'))
    return { stage, after };
  const detail = 'Send next_cursor of the page before, with the same search.';
  throw invalidRequest({ pointer: '/cursor', code: 'invalid', detail });
}

/** Later than every text that has the prefix, as SQLite compares: byte by byte. */
const endOf = (prefix: string): string => `${prefix}\u{10ffff}`;

/**
 * Rows that one page looks at when it leaves some out: a filter that few pass must not walk the
 * table on the event loop (T16). Such a page may be shorter than its limit, or empty.
 */
const LOOKED_AT = 1_000;

interface Row {
  readonly user: ListedUser;
  readonly key: unknown;
}

function rowsAt(
  db: Pick<Database, 'read'>,
  { stage, after }: Place,
  search: UserSearch & { readonly window: number },
): Promise<readonly Row[]> {
  const { prefix = '', window: limit } = search;
  if (stage === 'id')
    return db.read(
      search.disabled === true ? disabledOnly({ after, limit }) : all({ after, limit }),
    );
  const begin = canonicalPrefix(prefix);
  const usernameEnd = endOf(begin);
  if (stage === 'username')
    return db.read(byUsername({ from: after || begin, end: usernameEnd, after, limit }));
  const address = prefix.toLowerCase();
  const from = after || address;
  return db.read(byEmail({ from, end: endOf(address), after, limit, begin, usernameEnd }));
}

/** Where a search begins, and how many rows each of its reads takes. */
function beginOf({ prefix, disabled, limit, cursor }: UserSearch) {
  const stages: readonly Stage[] = prefix === undefined ? ['id'] : ['username', 'email'];
  const [stage = 'id'] = stages;
  const place = cursor === undefined ? { stage, after: '' } : placeOf(cursor, stages);
  const isSparse = disabled === false || (disabled === true && prefix !== undefined);
  return { stages, place, window: isSparse ? LOOKED_AT : limit + 1 };
}

/** One page. @throws {Refusal} invalid_request: the cursor is of no page of this search */
export async function searchUsers(
  db: Pick<Database, 'read'>,
  search: UserSearch,
): Promise<UserPage> {
  const { disabled, limit } = search;
  const { stages, place: begin, window } = beginOf(search);
  const isWanted = ({ disabledAt }: ListedUser): boolean =>
    disabled === undefined || disabled === (disabledAt !== null);
  const users: ListedUser[] = [];
  let place: Place = begin;
  for (const stage of stages.slice(stages.indexOf(begin.stage))) {
    if (stage !== place.stage) place = { stage, after: '' };
    const rows = await rowsAt(db, place, { ...search, window });
    for (const row of rows) {
      if (users.length === limit) return { users, nextCursor: cursorOf(place) };
      place = { stage, after: String(row.key) };
      if (isWanted(row.user)) users.push(row.user);
    }
    if (rows.length === window) return { users, nextCursor: cursorOf(place) };
  }
  return { users, nextCursor: null };
}

const one = (where: SQL | undefined) =>
  prepare(query.select(listedColumns).from(user).where(where).limit(1));
const byId = one(eq(user.id, given('id')));
const byExternalId = one(eq(user.externalId, given('externalId')));

export async function findListedUser(
  db: Pick<Database, 'read'>,
  id: string,
): Promise<ListedUser | null> {
  return (await db.read(byId({ id })))[0] ?? null;
}

export async function findUserByExternalId(
  db: Pick<Database, 'read'>,
  externalId: string,
): Promise<ListedUser | null> {
  return (await db.read(byExternalId({ externalId })))[0] ?? null;
}

const claiming = prepare(
  query
    .select(listedColumns)
    .from(user)
    .where(eq(user.pendingEmailCanonical, given('canonical')))
    .limit(sql.placeholder('limit')),
);

/** Users who claim an address that they have not verified. */
export async function listClaimants(
  db: Pick<Database, 'read'>,
  canonical: string,
  limit: number,
): Promise<readonly ListedUser[]> {
  return db.read(claiming({ canonical, limit }));
}
