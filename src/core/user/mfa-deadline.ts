/** Until when a user may sign in without the second factor that is required of everybody. */
import { eq, sql } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { user } from './tables.ts';

const isUser = eq(user.id, given('id'));

const mfaDue = prepare(
  query
    .update(user)
    .set({ mfaDueAt: given('dueAt') })
    .where(isUser),
);
const mfaDueOnce = prepare(
  query
    .update(user)
    .set({ mfaDueAt: sql`coalesce(${user.mfaDueAt}, ${given('dueAt')})` })
    .where(isUser),
);

/** The statement that starts the grace to enrol a second factor, if it has not started. */
export function beginEnrolmentGrace(id: string, dueAt: number): Statement {
  return mfaDueOnce({ id, dueAt });
}

/** The statement that resets the deadline for a second factor. */
export function forgetEnrolmentGrace(id: string): Statement {
  return mfaDue({ id, dueAt: null });
}
