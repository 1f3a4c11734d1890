/**
 * Anonymous accounts: a session and nothing to sign in with. They become like others by adding a
 * sign-in method, or a verified address; those that are not used are deleted.
 */
import { and, eq, gt, inArray, isNotNull, isNull, lte, not, notExists, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { guarded } from '../guards.ts';
import { session } from '../session/tables.ts';
import type { Sweep } from '../sweep.ts';
import { user } from './tables.ts';

const isUser = eq(user.id, given('id'));
const isAnonymous = isNotNull(user.anonymousAt);

const mark = prepare(
  query
    .update(user)
    .set({ anonymousAt: given('now') })
    .where(
      and(
        isUser,
        notExists(
          query
            .select({ one: sql`1` })
            .from(user)
            .where(isAnonymous)
            .limit(1)
            .offset(sql.placeholder('spared')),
        ),
      ),
    ),
);

/**
 * The statement that marks an account as anonymous. Anybody can create them, so there are at most
 * `most`; beyond that the commit is refused with `overloaded`.
 */
export function markAnonymous(values: {
  readonly id: string;
  readonly now: number;
  readonly most: number;
}): Statement {
  const { id, now, most } = values;
  return guarded(mark({ id, now, spared: most - 1 }), 'overloaded');
}

/** Makes the statement that an account is anonymous no more, if the condition holds. */
export function prepareSettle(condition: SQL): (id: string) => Statement {
  const settle = prepare(
    query
      .update(user)
      .set({ anonymousAt: null })
      .where(and(isUser, isAnonymous, condition)),
  );
  return (id) => settle({ id });
}

/**
 * Makes the sweep of anonymous accounts that were created and last used before a time. The condition
 * is whether their user can sign in: such an account stays, whichever change forgot to settle it.
 */
export const prepareAnonymousSweep = (condition: SQL): Sweep =>
  prepare(
    query
      .delete(user)
      .where(
        inArray(
          user.id,
          query
            .select({ id: user.id })
            .from(user)
            .where(
              and(
                isAnonymous,
                not(condition),
                lte(user.anonymousAt, given('before')),
                notExists(
                  query
                    .select({ id: session.id })
                    .from(session)
                    .where(
                      and(
                        eq(session.userId, user.id),
                        isNull(session.endedAt),
                        gt(session.lastUsedAt, given('before')),
                      ),
                    ),
                ),
              ),
            )
            .limit(sql.placeholder('batch')),
        ),
      )
      .returning({ id: user.id }),
  );
