/** Changing the profile: username, display name, metadata. */
import { recorded } from '../../core/audit/audited-event.ts';
import type { PrincipalContext } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { demandUsername } from '../../core/user/sign-in-name.ts';
import { findUserById, updateUserProfile } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import type { Database, Statement } from '../../db/database.ts';
import type { JsonObject } from '../../lib/json.ts';
import { Refusal } from '../../refusal.ts';

export interface ProfileChange {
  readonly username: string | undefined;
  /** Null removes it. */
  readonly displayName: string | null | undefined;
  readonly userMetadata: JsonObject | undefined;
}

/**
 * The statement of a change, for a commit with other statements. @throws {Refusal} invalid_request
 */
export function profileStatement(
  { clock }: Kernel,
  { principal }: PrincipalContext,
  { username, displayName, userMetadata }: ProfileChange,
): Statement<User> {
  return updateUserProfile({
    id: principal.user.id,
    username: username ?? null,
    usernameCanonical: username === undefined ? null : demandUsername(username),
    displayName,
    userMetadata: userMetadata ?? null,
    now: clock.now(),
  });
}

/** The user after the commit. @throws {Refusal} session_revoked */
export async function userAfterChange(db: Pick<Database, 'read'>, id: string): Promise<User> {
  const user = await findUserById(db, id);
  if (user === null || user.disabledAt !== null) throw new Refusal('session_revoked');
  return user;
}

/**
 * Changes the given members and no others. Two concurrent changes of different members both take
 * effect.
 *
 * Its function throws {Refusal} username_taken, invalid_request, session_revoked.
 */
export function changeProfile(kernel: Kernel) {
  return async (context: PrincipalContext, change: ProfileChange): Promise<User> => {
    const { id } = context.principal.user;
    // A name makes a password a way to sign in.
    const settled = kernel.signInMethods.settle(id);
    const record = recorded('user.updated', 'an account was changed by its user');
    await kernel.commit(context, [profileStatement(kernel, context, change), settled, record]);
    return userAfterChange(kernel.db, id);
  };
}
