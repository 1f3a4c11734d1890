/**
 * Addresses that are not verified yet: they reserve nothing, and are no sign-in name (G10). Once the
 * owner verified one, the claims of others stay as they look and can't be verified: a claim that
 * disappeared would tell whoever planted it that the address has an account now (E02).
 */
import { and, eq, sql } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RefusalCode } from '../../refusal.ts';
import { guarded, unique } from '../guards.ts';
import { user } from './tables.ts';
import { isEnabledUser, touched } from './user.ts';
import type { User } from './user.ts';

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

/** The statement that notes an address to be verified; it reserves nothing (G10). */
export function setPendingEmail(values: {
  readonly id: string;
  readonly pendingEmail: string | null;
  readonly pendingEmailCanonical: string | null;
  readonly now: number;
}): Statement {
  return setPending({ ...values });
}

/**
 * A new address that was begun under the old password or factors has to be begun again (G9, R08). A
 * first address stays pending: it replaces none.
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
      email: sql`${user.pendingEmail}`,
      emailCanonical: sql`${user.pendingEmailCanonical}`,
      pendingEmail: null,
      pendingEmailCanonical: null,
    })
    .where(and(isEnabledUser, eq(user.pendingEmailCanonical, given('canonical')))),
);

/**
 * The statement that makes the pending address the verified one; refused with `code` when another
 * address is pending by now, or somebody else verified this one first.
 */
export function verifyPendingEmail(
  values: { readonly id: string; readonly canonical: string; readonly now: number },
  code: RefusalCode,
): Statement {
  return unique(guarded(verify({ ...values }), code), code);
}
