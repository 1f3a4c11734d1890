/**
 * Changing the account's email address. A new one is pending until its code is entered in a session
 * of the account; until then the old one stays in use, and its owner is notified. An unverified
 * address reserves nothing and can't be used to sign in (G10).
 */
import { recorded } from '../../core/audit/audited-event.ts';
import type { PrincipalContext } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { keepNewest } from '../../core/one-time/one-time.ts';
import { demandEmail } from '../../core/user/sign-in-name.ts';
import { setPendingEmail } from '../../core/user/pending-email.ts';
import type { User } from '../../core/user/user.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
import { ADDRESS_CODE, addressCode } from '../../core/one-time/address-code.ts';
import type { AddressSettings } from '../../core/one-time/address-code.ts';
import { profileStatement, userAfterChange } from './change-profile.ts';
import type { ProfileChange } from './change-profile.ts';

export interface EmailChange {
  readonly email: string;
  /** Statements committed together with the change. */
  readonly profile: ProfileChange;
}

/**
 * Sets a new pending address and sends it a code; the same answer for free and taken addresses.
 *
 * Its function throws {Refusal} invalid_request, username_taken, session_revoked, overloaded.
 */
export function changeEmail(kernel: Kernel, settings: AddressSettings) {
  const { commit, emails, db } = kernel;
  return async (context: PrincipalContext, { email, profile }: EmailChange): Promise<User> => {
    const canonical = demandEmail(email);
    const { user } = context.principal;
    const { id } = user;
    const now = kernel.clock.now();
    const changed = profileStatement(kernel, context, profile);
    const voided = keepNewest({ userId: id, purpose: ADDRESS_CODE, keep: 0, now });
    if (user.email !== null && canonicalEmail(user.email) === canonical) {
      const none = { id, pendingEmail: null, pendingEmailCanonical: null, now };
      await commit(context, [changed, setPendingEmail(none), voided]);
      return userAfterChange(db, id);
    }
    const { statements } = await addressCode(kernel, context, settings, {
      userId: id,
      address: email,
      canonical,
    });
    await commit(context, [
      changed,
      setPendingEmail({ id, pendingEmail: email, pendingEmailCanonical: canonical, now }),
      kernel.signInMethods.settle(id),
      voided,
      ...statements,
      ...emails.notifySeldom(context, {
        template: 'address_change_requested',
        to: user.email,
        values: { new_address: email },
      }),
      recorded('email.change_requested', 'a new address is pending'),
    ]);
    return userAfterChange(db, id);
  };
}
