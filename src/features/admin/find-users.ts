/** Finding users: a page of all, by the beginning of a name, or by one exact name. */
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import {
  findListedUser,
  findUserByExternalId,
  listClaimants,
  searchUsers,
} from '../../core/user/search.ts';
import type { ListedUser, UserPage, UserSearch } from '../../core/user/search.ts';
import { parseSignInName } from '../../core/user/sign-in-name.ts';
import { findUserBySignInName } from '../../core/user/user.ts';
import { invalidRequest } from '../../refusal.ts';

/** One exact name. */
export interface ExactName {
  readonly externalId?: string | undefined;
  readonly username?: string | undefined;
  /** Verified, or claimed. */
  readonly email?: string | undefined;
}

export type UserFilter = UserSearch & ExactName;

const found = (user: ListedUser | null): readonly ListedUser[] => (user === null ? [] : [user]);

/** Who has an exact name. */
async function byName(
  { db }: Kernel,
  { externalId, username, email, limit }: UserFilter,
): Promise<readonly ListedUser[]> {
  if (externalId !== undefined) return found(await findUserByExternalId(db, externalId));
  const name = parseSignInName(email ?? username ?? '');
  const wanted = email === undefined ? 'username' : 'email';
  if (name.kind !== wanted) return [];
  const owner = await findUserBySignInName(db, name);
  const owners = owner === null ? [] : found(await findListedUser(db, owner.id));
  if (email === undefined) return owners;
  const claimants = await listClaimants(db, name.canonical, limit);
  return [...owners, ...claimants.filter(({ id }) => id !== owner?.id)].slice(0, limit);
}

const ALONE = ['external_id', 'username', 'email', 'search'] as const;

/** Its function throws {Refusal} invalid_request: two ways of finding, or a wrong cursor. */
export function findUsers(kernel: Kernel) {
  return async (_context: Context, filter: UserFilter): Promise<UserPage> => {
    const { externalId, username, email, prefix, disabled } = filter;
    const ways = [externalId, username, email, prefix];
    const named = ALONE.filter((_, at) => ways[at] !== undefined);
    const [, second] = named;
    if (second !== undefined) {
      const detail = `Send one of ${ALONE.join(', ')}.`;
      throw invalidRequest({ pointer: `/${second}`, code: 'invalid', detail });
    }
    if (named.length === 0 || prefix !== undefined) return searchUsers(kernel.db, filter);
    const users = (await byName(kernel, filter)).filter(
      ({ disabledAt }) => disabled === undefined || (disabledAt !== null) === disabled,
    );
    return { users, nextCursor: null };
  };
}
