/** What another system calls an account. */
import { eq } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { guarded, unique } from '../guards.ts';
import { user } from './tables.ts';
import { touched } from './user.ts';

const isUser = eq(user.id, given('id'));

const externalId = prepare(
  query
    .update(user)
    .set({ ...touched, externalId: given('externalId') })
    .where(isUser),
);

/** The statement that sets the name of another system for the account; null removes it. */
export function setExternalId(id: string, value: string | null, now: number): Statement {
  const statement = guarded(externalId({ id, externalId: value, now }), 'not_found');
  return unique(statement, 'external_id_taken', 'user.external_id');
}
