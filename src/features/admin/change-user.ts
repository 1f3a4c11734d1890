/** Changing a user as an operator: all of it, or nothing. */
import { recorded } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { disableStatements, expirePassword } from '../../core/user/account-state.ts';
import { demandClaims } from '../../core/user/claims.ts';
import { setExternalId } from '../../core/user/external-id.ts';
import { findListedUser } from '../../core/user/search.ts';
import type { ListedUser } from '../../core/user/search.ts';
import { demandUsername } from '../../core/user/sign-in-name.ts';
import { enableUser } from '../../core/user/user.ts';
import type { Statement } from '../../db/database.ts';
import type { JsonObject } from '../../lib/json.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import { addressStatements, recordAddress } from './set-email.ts';
import type { AddressChange } from './set-email.ts';
import type { AdminSettings } from './settings.ts';
import { changeProfile, forgetPasswordDemand } from './store.ts';

/** What is undefined stays as it is; null removes. */
export interface UserChange {
  readonly username?: string | undefined;
  readonly displayName?: string | null | undefined;
  readonly userMetadata?: JsonObject | undefined;
  readonly externalId?: string | null | undefined;
  readonly claims?: JsonObject | undefined;
  readonly email?: string | undefined;
  readonly emailVerified?: boolean | undefined;
  readonly disabled?: boolean | undefined;
  readonly passwordChangeRequired?: boolean | undefined;
}

/** @throws {Refusal} not_found */
export async function demandUser({ db }: Pick<Kernel, 'db'>, id: string): Promise<ListedUser> {
  const user = await findListedUser(db, id);
  if (user === null) throw new Refusal('not_found');
  return user;
}

/** The change of address in a change of a user. @throws {Refusal} invalid_request */
function addressChange(user: ListedUser, change: UserChange): AddressChange | undefined {
  const { email, emailVerified } = change;
  if (email !== undefined) {
    return { user, email, proof: emailVerified === true ? 'vouched' : 'pending' };
  }
  if (emailVerified === undefined) return undefined;
  if (emailVerified && user.pendingEmail !== null)
    return { user, email: user.pendingEmail, proof: 'vouched' };
  if (emailVerified && user.email !== null) return undefined;
  const detail = emailVerified
    ? 'There is no address that could be verified. Send email too.'
    : 'A verified address is replaced by another one: send email.';
  throw invalidRequest({ pointer: '/email_verified', code: 'invalid', detail });
}

/** What a change of the account's state writes, and the event of each part that counts. */
function stateStatements(
  { attempts, clock }: Kernel,
  { id, disabledAt, passwordChangeRequiredAt }: ListedUser,
  { disabled, passwordChangeRequired }: UserChange,
): { readonly statements: readonly Statement[]; readonly events: readonly StateEvent[] } {
  const now = clock.now();
  const statements: Statement[] = [];
  const events: StateEvent[] = [];
  if (disabled === true && disabledAt === null) {
    statements.push(...disableStatements(id, now));
    events.push('user.disabled');
  }
  if (disabled === false && disabledAt !== null) {
    statements.push(enableUser(id, now), attempts.forgetAll(id));
    events.push('user.enabled');
  }
  if (passwordChangeRequired === true) {
    statements.push(...expirePassword(id, now));
    events.push('password.expired');
  }
  if (passwordChangeRequired === false && passwordChangeRequiredAt !== null)
    statements.push(forgetPasswordDemand(id, now));
  return { statements, events };
}

type StateEvent = 'user.disabled' | 'user.enabled' | 'password.expired';

/**
 * Changes what is given, in one commit, and gives the user as it is then.
 *
 * Its function throws {Refusal} not_found, invalid_request, username_taken, email_taken,
 * external_id_taken, conflict, overloaded.
 */
export function changeUser(kernel: Kernel, settings: AdminSettings) {
  return async (context: Context, id: string, change: UserChange): Promise<ListedUser> => {
    const user = await demandUser(kernel, id);
    const { username, displayName, userMetadata, externalId, claims } = change;
    const now = kernel.clock.now();
    const profile = changeProfile({
      id,
      username: username ?? null,
      usernameCanonical: username === undefined ? null : demandUsername(username),
      displayName,
      userMetadata: userMetadata ?? null,
      claims: claims === undefined ? null : demandClaims(claims, '/claims'),
      now,
    });
    const address = addressChange(user, change);
    const state = stateStatements(kernel, user, change);
    const event = { 'user.id': id };
    await kernel.commit(context, [
      profile,
      ...(externalId === undefined ? [] : [setExternalId(id, externalId, now)]),
      ...(address === undefined ? [] : await addressStatements(kernel, context, settings, address)),
      ...state.statements,
      // A name makes a password a way to sign in.
      kernel.signInMethods.settle(id),
      ...state.events.map((name) => recorded(name, 'changed by an operator', event)),
      ...(address === undefined ? [] : [recordAddress(address)]),
      recorded('user.changed', 'an account was changed by an operator', event),
    ]);
    return demandUser(kernel, id);
  };
}
