/**
 * Registering with a passkey, or another credential, instead of a password. The account gets
 * recovery codes at once: they are the way back when the credential is lost.
 */
import { recorded } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import type { AccountCredential, FutureAccount, NewCredential } from '../../core/factor/factor.ts';
import type { Kernel } from '../../core/kernel.ts';
import { newCode } from '../../core/one-time/code.ts';
import { insertPendingRegistration } from '../../core/one-time/issue.ts';
import { CODE_TTL_MS } from '../../core/one-time/one-time.ts';
import { demandEmail, demandUsername } from '../../core/user/sign-in-name.ts';
import { findUserBySignInName, insertUser, newUser } from '../../core/user/user.ts';
import { randomToken } from '../../crypto/secret.ts';
import { Refusal } from '../../refusal.ts';
import { requestEmail, sealContent } from './pending.ts';
import { REGISTRATION_ID_BYTES, demandSmall, jobOf } from './register-by-email.ts';
import type { PendingRegistration } from './register-by-email.ts';
import type { Registered } from './register-by-username.ts';
import type { Profile, RegistrationSettings } from './settings.ts';

export interface GivenCredential {
  /** The name of its factor. */
  readonly factor: string;
  readonly credential: AccountCredential;
  /** The output of its schema. */
  readonly answer: unknown;
}

interface Given extends Profile {
  readonly given: GivenCredential;
}

const verified = (
  context: Context,
  account: FutureAccount,
  { credential, answer }: GivenCredential,
): Promise<NewCredential> => credential.verify(context, account, answer);

/**
 * Registers an account with a username and signs it in. An address sent with it is pending (G10).
 *
 * Its function throws {Refusal} username_taken, passkey_registered, invalid_request, overloaded.
 */
export function registerNamed(kernel: Kernel) {
  const { db, clock, factors, authentication } = kernel;
  return async (
    context: Context,
    input: Given & { readonly username: string; readonly email: string | undefined },
  ): Promise<Registered> => {
    const { username, given, displayName = null, userMetadata = {} } = input;
    const usernameCanonical = demandUsername(username);
    const pendingEmail = input.email ?? null;
    const pendingEmailCanonical = pendingEmail === null ? null : demandEmail(pendingEmail);
    const account = { kind: 'username', canonical: usernameCanonical } as const;
    // A check before the hashes of the codes; the UNIQUE constraint is what decides.
    if ((await findUserBySignInName(db, account)) !== null) throw new Refusal('username_taken');
    const { presented, userId, record } = await verified(context, account, given);
    const backup = await factors.renewBackup(context, userId);
    const createdAt = clock.now();
    const profile = { username, pendingEmail, displayName, userMetadata };
    const user = newUser({ id: userId, createdAt, ...profile });
    const names = { usernameCanonical, emailCanonical: null, pendingEmailCanonical };
    const event = { 'user.id': userId, factor: presented.factor };
    const done = await authentication.completeFactor(context, {
      ...presented,
      user,
      effects: [
        insertUser(user, names, 'username_taken'),
        ...given.credential.statements(userId, record),
        ...backup.statements,
        recorded('user.registered', 'an account was registered', event),
      ],
    });
    return { user, authentication: done, recoveryCodes: backup.codes };
  };
}

/**
 * Starts a registration with an address alone; the same answer and the same work for free and taken
 * addresses. The email has a code and no link, because a link asks for the password.
 *
 * Its function throws {Refusal} invalid_request, overloaded.
 */
export function registerAddress(kernel: Kernel, settings: RegistrationSettings) {
  const { passwordHasher, random, clock } = kernel;
  return async (
    context: Context,
    input: Given & { readonly email: string },
  ): Promise<PendingRegistration> => {
    const { email, given, displayName = null, userMetadata = {} } = input;
    const canonical = demandEmail(email);
    demandSmall(userMetadata);
    const account = { kind: 'email', canonical } as const;
    const { userId, record } = await verified(context, account, given);
    const code = newCode(random);
    const codeHash = await passwordHasher.hash(code, jobOf(context));
    const id = randomToken(random, REGISTRATION_ID_BYTES);
    const credential = { factor: given.factor, userId, record };
    const content = { email, passwordHash: null, credential, displayName, userMetadata };
    const to = { email, canonical, code, token: null };
    const requested = await requestEmail(kernel, context, settings, to);
    const pending = insertPendingRegistration(
      {
        id,
        purpose: 'registration',
        userId: null,
        subject: canonical,
        token: null,
        codeHash,
        payloadSealed: sealContent(kernel, id, content),
        now: clock.now(),
        ttlMs: settings.linkTtlMs,
      },
      requested.id,
      settings.maxPending,
    );
    await kernel.commit(context, [requested.statement, pending]);
    context.log.write('info', 'registration.begun', 'an address is to be verified');
    return { registrationId: id, expiresInSeconds: CODE_TTL_MS / 1000 };
  };
}
