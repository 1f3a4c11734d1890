/** Making an account without a password: its owner chooses one by an invitation, or by a link. */
import { recorded } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { demandClaims } from '../../core/user/claims.ts';
import { setExternalId } from '../../core/user/external-id.ts';
import { findUserByExternalId } from '../../core/user/search.ts';
import { demandEmail, demandUsername } from '../../core/user/sign-in-name.ts';
import { setUserClaims } from '../../core/user/claims.ts';
import { findUserBySignInName, insertUser, newUser } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import type { JsonObject } from '../../lib/json.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import { invite } from './reset-link.ts';
import type { AdminSettings } from './settings.ts';

export interface NewAccount {
  readonly username: string | undefined;
  /** An invitation goes there, and using it verifies it. */
  readonly email: string | undefined;
  readonly displayName: string | undefined;
  readonly userMetadata: JsonObject | undefined;
  readonly externalId: string | undefined;
  readonly claims: JsonObject | undefined;
}

/** @throws {Refusal} username_taken, email_taken, external_id_taken */
async function demandFree(
  { db }: Kernel,
  names: Readonly<Record<'username' | 'email' | 'externalId', string | null>>,
): Promise<void> {
  const { username, email, externalId } = names;
  const isTaken = async (kind: 'username' | 'email', canonical: string | null) =>
    canonical !== null && (await findUserBySignInName(db, { kind, canonical })) !== null;
  if (await isTaken('username', username)) throw new Refusal('username_taken');
  if (await isTaken('email', email)) throw new Refusal('email_taken');
  if (externalId !== null && (await findUserByExternalId(db, externalId)) !== null)
    throw new Refusal('external_id_taken');
}

/**
 * Makes an account, and invites the owner of its address.
 *
 * Its function throws {Refusal} invalid_request, username_taken, email_taken, external_id_taken.
 */
export function createUser(kernel: Kernel, settings: AdminSettings) {
  return async (context: Context, input: NewAccount): Promise<User> => {
    const { username = null, email = null, externalId = null, displayName = null } = input;
    if (username === null && email === null) {
      const detail = 'An account has a username, an email address, or both.';
      throw invalidRequest({ pointer: '/email', code: 'required', detail });
    }
    const usernameCanonical = username === null ? null : demandUsername(username);
    const pendingEmailCanonical = email === null ? null : demandEmail(email);
    const claims = demandClaims(input.claims ?? {}, '/claims');
    await demandFree(kernel, {
      username: usernameCanonical,
      email: pendingEmailCanonical,
      externalId,
    });
    const now = kernel.clock.now();
    const user = newUser({
      id: kernel.newId(),
      createdAt: now,
      username,
      pendingEmail: email,
      displayName,
      userMetadata: input.userMetadata ?? {},
    });
    const names = { usernameCanonical, emailCanonical: null, pendingEmailCanonical };
    await kernel.commit(context, [
      { ...insertUser(user, names, 'username_taken'), conflictOn: 'user.username_canonical' },
      ...(externalId === null ? [] : [setExternalId(user.id, externalId, now)]),
      ...(Object.keys(claims).length === 0 ? [] : [setUserClaims(user.id, claims, now)]),
      ...(email === null ? [] : invite(kernel, context, settings, user)),
      recorded('user.created', 'an account was made by an operator', { 'user.id': user.id }),
    ]);
    return user;
  };
}
