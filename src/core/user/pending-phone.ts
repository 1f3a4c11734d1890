/** Telephone numbers of users: an unverified one reserves nothing, and signs nobody in. */
import { eq, isNotNull, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { guarded, unique } from '../guards.ts';
import { user } from './tables.ts';
import { isEnabledUser, touched } from './user.ts';

/** A condition on a row of `user`. */
export const hasVerifiedPhone: SQL = isNotNull(user.phone);

const setPending = prepare(
  query
    .update(user)
    .set({ ...touched, pendingPhone: given('phone') })
    .where(isEnabledUser),
);

/** The statement that sets the pending number, or with null removes it. */
export function setPendingPhone(values: {
  readonly id: string;
  readonly phone: string | null;
  readonly now: number;
}): Statement {
  return setPending({ ...values });
}

const verify = prepare(
  query
    .update(user)
    .set({ ...touched, phone: sql`${user.pendingPhone}`, pendingPhone: null })
    .where(sql`${isEnabledUser} AND ${eq(user.pendingPhone, given('phone'))}`),
);

/**
 * The statement that makes the pending number the verified one; refused with `invalid_code` when
 * another is pending by now, with `phone_taken` when another account has verified it.
 */
export function verifyPendingPhone(values: {
  readonly id: string;
  readonly phone: string;
  readonly now: number;
}): Statement {
  return unique(guarded(verify({ ...values }), 'invalid_code'), 'phone_taken', 'user.phone');
}

const remove = prepare(
  query
    .update(user)
    .set({ ...touched, phone: null, pendingPhone: null })
    .where(isEnabledUser),
);

/** The statement that removes the number, and a pending one. */
export function removePhone(id: string, now: number): Statement {
  return remove({ id, now });
}
