/**
 * Addresses that are not verified yet: they reserve nothing, and can't be used to sign in (G10).
 * Once the owner verified one, other accounts' claims on it look unchanged but can't be verified: a
 * claim that disappeared would reveal that the address now has an account (E02).
 */
import { and, eq, isNotNull, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RefusalCode } from '../../refusal.ts';
import { guarded, unique } from '../guards.ts';
import { user } from './tables.ts';
import { isEnabledUser, touched } from './user.ts';
import type { User } from './user.ts';

/** A condition on a row of `user`. */
export const hasVerifiedEmail: SQL = isNotNull(user.emailCanonical);

const setPending = prepare(
  query
    .update(user)
    .set({
      ...touched,
      pendingEmail: given('pendingEmail'),
      pendingEmailCanonical: given('pendingEmailCanonical'),
    })
    .where(isEnabledUser),
);

/** The statement that sets the pending address; it reserves nothing (G10). */
export function setPendingEmail(values: {
  readonly id: string;
  readonly pendingEmail: string | null;
  readonly pendingEmailCanonical: string | null;
  readonly now: number;
}): Statement {
  return setPending({ ...values });
}

/**
 * Voids a pending change of address that was begun under the old password or factors (G9, R08). An
 * account's first address stays pending, because it replaces none.
 */
export function dropPendingAddress({ id, email }: User, now: number): readonly Statement[] {
  if (email === null) return [];
  return [setPendingEmail({ id, pendingEmail: null, pendingEmailCanonical: null, now })];
}

const verify = prepare(
  query
    .update(user)
    .set({
      ...touched,
      anonymousAt: null,
      email: sql`${user.pendingEmail}`,
      emailCanonical: sql`${user.pendingEmailCanonical}`,
      pendingEmail: null,
      pendingEmailCanonical: null,
    })
    .where(and(isEnabledUser, eq(user.pendingEmailCanonical, given('canonical')))),
);

/**
 * The statement that makes the pending address the verified one; refused with `code` when another
 * address is pending by now, or another account verified this one first.
 */
export function verifyPendingEmail(
  values: { readonly id: string; readonly canonical: string; readonly now: number },
  code: RefusalCode,
): Statement {
  return unique(guarded(verify({ ...values }), code), code);
}
