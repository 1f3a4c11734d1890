/** Registering with a username and a password. */
import { recorded } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import type { Kernel } from '../../core/kernel.ts';
import { insertPassword } from '../../core/password/credential.ts';
import { PRESENTED_PASSWORD, hashJob, hashShare } from '../../core/password/passwords.ts';
import { networkOf } from '../../core/requester.ts';
import { demandEmail, demandUsername } from '../../core/user/sign-in-name.ts';
import { findUserBySignInName, insertUser, newUser } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import type { Statement } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import type { ProfileInput } from './settings.ts';

export interface UsernameRegistration extends ProfileInput {
  readonly username: string;
  readonly email: string | undefined;
}

export interface Registered {
  readonly user: User;
  readonly authentication: Authentication;
  /** Shown once, for an account that has a second factor from the beginning. */
  readonly recoveryCodes?: readonly string[];
}

interface PreparedAccount {
  readonly user: User;
  readonly statements: readonly Statement[];
}

/** The part of the kernel that preparing an account needs; the command line has only this. */
type AccountKernel = Pick<Kernel, 'db' | 'clock' | 'newId' | 'passwords' | 'passwordHasher'>;

/**
 * Checks and hashes; the caller only has to commit.
 *
 * @throws {Refusal} username_taken, invalid_request, overloaded
 */
async function prepareAccount(
  { db, clock, newId, passwords, passwordHasher }: AccountKernel,
  context: Context,
  input: UsernameRegistration,
): Promise<PreparedAccount> {
  const { username, displayName = null, userMetadata = {} } = input;
  const usernameCanonical = demandUsername(username);
  const pendingEmail = input.email ?? null;
  const pendingEmailCanonical = pendingEmail === null ? null : demandEmail(pendingEmail);
  const owner = { username, pendingEmail, displayName };
  const password = await passwords.accept(input.password, owner, '/password');
  // A check before the expensive hash; the UNIQUE constraint is what decides.
  const name = { kind: 'username', canonical: usernameCanonical } as const;
  if ((await findUserBySignInName(db, name)) !== null) throw new Refusal('username_taken');
  const job = hashJob(context, hashShare('registration', networkOf(context.requester)));
  const passwordHash = await passwordHasher.hash(password, job);
  const now = clock.now();
  const user = newUser({ id: newId(), createdAt: now, ...owner, userMetadata });
  const names = { usernameCanonical, emailCanonical: null, pendingEmailCanonical };
  const statements = [
    insertUser(user, names, 'username_taken'),
    insertPassword({ userId: user.id, passwordHash, now }),
  ];
  return { user, statements };
}

/**
 * Registers an account with a username and signs it in: user, credential and session in one commit.
 * An address sent with it is pending, and reserves nothing (G10).
 *
 * Its function throws {Refusal} username_taken, invalid_request, overloaded.
 */
export function registerByUsername(kernel: Kernel) {
  return async (context: Context, input: UsernameRegistration): Promise<Registered> => {
    const { user, statements } = await prepareAccount(kernel, context, input);
    const event = { 'user.id': user.id };
    const record = recorded('user.registered', 'an account was registered', event);
    const verified = { ...PRESENTED_PASSWORD, user, effects: [...statements, record] };
    const authentication = await kernel.authentication.completeFactor(context, verified);
    return { user, authentication };
  };
}

/**
 * Creates an account without signing it in, for an operator.
 *
 * Its function throws {Refusal} username_taken, invalid_request, overloaded.
 */
export function createAccount(kernel: AccountKernel & Pick<Kernel, 'commit'>) {
  return async (context: Context, input: UsernameRegistration): Promise<User> => {
    const { user, statements } = await prepareAccount(kernel, context, input);
    await kernel.commit(context, statements);
    return user;
  };
}
