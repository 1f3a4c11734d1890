/** Making an account with a username and a password. */
import type { App } from '../../app/capabilities.ts';
import type { HashContext } from '../../crypto/password-hash.ts';
import type { Statement } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import { completeFactor } from '../../core/factor/authentication.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import { demandEmail, demandUsername } from '../../core/user/sign-in-name.ts';
import { networkOf } from '../../core/session/requester.ts';
import type { Requester } from '../../core/session/requester.ts';
import { findUserBySignInName, insertUser, takingName } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import { FACTOR, acceptablePassword, contextOf } from '../password/operations.ts';
import { insertPassword } from '../../core/password/credential.ts';

export interface Registration {
  readonly username: string;
  readonly email: string | undefined;
  readonly password: string;
  readonly displayName: string | undefined;
  readonly userMetadata: Record<string, unknown> | undefined;
}

interface Prepared {
  readonly user: User;
  readonly effects: readonly Statement[];
}

/**
 * Checks and hashes; what is left is to commit. @throws {Refusal} username_taken, invalid_request,
 * overloaded
 */
async function prepareAccount(app: App, input: Registration, by: HashContext): Promise<Prepared> {
  const usernameCanonical = demandUsername(input.username);
  const pendingEmailCanonical = input.email === undefined ? null : demandEmail(input.email);
  const about = {
    username: input.username,
    email: null,
    pendingEmail: input.email ?? null,
    displayName: input.displayName ?? null,
  };
  const password = await acceptablePassword(
    app,
    input.password,
    contextOf(app, about),
    '/password',
  );
  // Asked before the hash, which is dear; decided by the constraint, which is right.
  if (
    (await findUserBySignInName(app.db, { kind: 'username', canonical: usernameCanonical })) !==
    null
  )
    throw new Refusal('username_taken');
  const passwordHash = await app.hasher.hash(password, by);
  const now = app.clock.now();
  const user: User = {
    id: app.newId(),
    ...about,
    userMetadata: input.userMetadata ?? {},
    claims: {},
    epoch: 0,
    disabledAt: null,
    passwordChangeRequiredAt: null,
    mfaDueAt: null,
    createdAt: now,
    updatedAt: now,
  };
  return {
    user,
    effects: [
      insertUser({ ...user, usernameCanonical, emailCanonical: null, pendingEmailCanonical, now }),
      insertPassword({ userId: user.id, passwordHash, now }),
    ],
  };
}

/**
 * Makes an account with a username and signs it in: user, credential and session in one commit. An
 * address beside the name is pending; it reserves nothing.
 *
 * @throws {Refusal} username_taken, invalid_request, overloaded
 */
export async function register(
  app: App,
  input: Registration,
  requester: Requester,
  signal: AbortSignal,
): Promise<{ user: User; authentication: Authentication }> {
  const { user, effects } = await prepareAccount(app, input, {
    account: `register:${networkOf(requester)}`,
    client: networkOf(requester),
    signal,
  });
  const authentication = await takingName(() =>
    completeFactor(app, { ...FACTOR, user, effects }, requester),
  );
  app.log.write('info', 'user.registered', 'an account was made', {
    request_id: requester.requestId,
    'user.id': user.id,
    'client.address': requester.ip,
  });
  return { user, authentication };
}

/**
 * Makes an account without signing it in: an operator's.
 *
 * @param account whose work it is, for the fairness of the hash queue
 * @throws {Refusal} username_taken, invalid_request, overloaded
 */
export async function createAccount(app: App, input: Registration, account: string): Promise<User> {
  const { user, effects } = await prepareAccount(app, input, { account, client: account });
  await takingName(() => app.db.write(effects));
  return user;
}
