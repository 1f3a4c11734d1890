/** An operator's change of an address: pending until it is verified, or on the operator's word. */
import { recorded } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { ADDRESS_CODE, addressCode } from '../../core/one-time/address-code.ts';
import { keepNewest, voidOneTimes } from '../../core/one-time/one-time.ts';
import { demandEmail } from '../../core/user/sign-in-name.ts';
import { advanceEpoch, findUserBySignInName } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import type { Statement } from '../../db/database.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
import { Refusal } from '../../refusal.ts';
import { invite, isUnclaimed } from './reset-link.ts';
import type { AdminSettings } from './settings.ts';
import { setPendingAddress, setVerifiedAddress } from './store.ts';

export interface AddressChange {
  readonly user: User;
  readonly email: string;
  /** `vouched`: the operator knows that it is the user's, and it counts at once. */
  readonly proof: 'pending' | 'vouched';
}

/**
 * The statements of a change, for a commit that may hold more. The commit is refused with
 * `conflict` when an invited account changed meanwhile.
 *
 * @throws {Refusal} invalid_request, email_taken, overloaded
 */
export async function addressStatements(
  kernel: Kernel,
  context: Context,
  settings: AdminSettings,
  { user, email, proof }: AddressChange,
): Promise<readonly Statement[]> {
  const canonical = demandEmail(email);
  const { id } = user;
  const now = kernel.clock.now();
  const owner = await findUserBySignInName(kernel.db, { kind: 'email', canonical });
  if (owner !== null && owner.id !== id) throw new Refusal('email_taken');
  if (proof === 'vouched') return vouched(kernel, context, { user, email, canonical });
  const voided = keepNewest({ userId: id, purpose: ADDRESS_CODE, keep: 0, now });
  if (user.email !== null && canonicalEmail(user.email) === canonical)
    return [setPendingAddress({ id, email: null, canonical: null, now }), voided];
  const pending = setPendingAddress({ id, email, canonical, now });
  if (user.email === null && (await isUnclaimed(kernel, { ...user, pendingEmail: email }))) {
    // A link for a disabled account would open nothing: it is invited once it is enabled.
    if (user.disabledAt !== null) return [pending, voided];
    const invited = { ...user, pendingEmail: email };
    return [pending, voided, ...invite(kernel, context, settings, invited)];
  }
  const address = { userId: id, address: email, canonical };
  const { statements } = await addressCode(kernel, context, settings, address);
  const told = kernel.emails.notifySeldom(context, {
    template: 'address_change_requested',
    to: user.email,
    values: { new_address: email },
  });
  return [pending, voided, ...statements, ...told];
}

/** What replaces an address ends the sessions, as when its user does it (G9). */
function vouched(
  { clock, sessions, emails }: Kernel,
  context: Context,
  { user, email, canonical }: Pick<AddressChange, 'user' | 'email'> & { canonical: string },
): readonly Statement[] {
  const { id } = user;
  const now = clock.now();
  const isOther = user.email === null || canonicalEmail(user.email) !== canonical;
  return [
    setVerifiedAddress({ id, email, canonical, now }),
    ...(isOther
      ? [
          advanceEpoch(id, now),
          voidOneTimes(id, now),
          ...sessions.end({ kind: 'all', userId: id }, 'email_changed'),
          ...emails.notify(context, { template: 'address_changed', to: user.email }),
        ]
      : []),
  ];
}

/**
 * Sets the address of a user.
 *
 * Its function throws {Refusal} invalid_request, email_taken, not_found, conflict, overloaded.
 */
export function setEmail(kernel: Kernel, settings: AdminSettings) {
  return async (context: Context, change: AddressChange): Promise<void> => {
    const statements = await addressStatements(kernel, context, settings, change);
    await kernel.commit(context, [...statements, recordAddress(change)]);
  };
}

export function recordAddress({ user, proof }: AddressChange): Statement {
  const message = 'an operator changed the address of a user';
  return recorded('email.set', message, { 'user.id': user.id, reason: proof });
}
