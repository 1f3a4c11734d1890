/**
 * What users do with their own account: change its profile, list and end its sessions, delete it.
 */
import type { App } from '../../app/capabilities.ts';
import type { Statement } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import { demandUsername } from '../../core/user/sign-in-name.ts';
import type { Requester } from '../../core/session/requester.ts';
import { endSessions } from '../../core/session/session.ts';
import { writeAs } from '../../core/session/session-commit.ts';
import type { Principal } from '../../core/session/session.ts';
import { deleteUser, findUserById, takingName, updateUserProfile } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';

export interface ProfileChange {
  readonly username?: string | undefined;
  readonly displayName?: string | null | undefined;
  readonly userMetadata?: Record<string, unknown> | undefined;
}

/**
 * Changes what is given and leaves the rest. Two changes at once of different members both hold.
 *
 * @throws {Refusal} username_taken, invalid_request, session_revoked
 */
export async function changeProfile(
  app: App,
  principal: Principal,
  change: ProfileChange,
  requester: Requester,
): Promise<User> {
  await takingName(() => writeAs(app, principal, [profileStatement(app, principal, change)]));
  const changed = await findUserById(app.db, principal.user.id);
  if (changed === null) throw new Refusal('session_revoked');
  app.log.write('info', 'user.updated', 'an account was changed by its user', {
    request_id: requester.requestId,
    'user.id': changed.id,
    'session.id': principal.session.id,
  });
  return changed;
}

/**
 * The statement of a change, for a commit that holds more than it. @throws {Refusal}
 * invalid_request
 */
export function profileStatement(
  app: App,
  { user }: Principal,
  change: ProfileChange,
): Statement<User> {
  return updateUserProfile({
    id: user.id,
    username: change.username ?? null,
    usernameCanonical: change.username === undefined ? null : demandUsername(change.username),
    displayName: change.displayName,
    userMetadata: change.userMetadata ?? null,
    now: app.clock.now(),
  });
}

/**
 * Deletes the account with all that hangs on it; its access tokens die here at once. @throws
 * {Refusal} session_revoked
 */
export async function deleteAccount(
  app: App,
  principal: Principal,
  requester: Requester,
): Promise<void> {
  const { user } = principal;
  await writeAs(app, principal, [
    ...endSessions({ kind: 'all', userId: user.id }, 'user_deleted', app.clock.now()),
    deleteUser(user.id),
  ]);
  app.log.write('info', 'user.deleted', 'an account was deleted by its user', {
    request_id: requester.requestId,
    'user.id': user.id,
    'client.address': requester.ip,
  });
}
