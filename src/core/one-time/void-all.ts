/**
 * Voiding everything that waits to be used once: codes, links, pending registrations and answered
 * challenges. After a restore, what was spent since would be good
 * again; after an incident, nobody knows who holds them.
 */
import { eq } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { outbox } from '../email/tables.ts';
import { challenge } from '../factor/tables.ts';
import { oneTime } from './tables.ts';

const voidOneTimes = prepare(query.delete(oneTime).returning({ id: oneTime.id }));
const voidChallenges = prepare(query.delete(challenge).returning({ id: challenge.id }));
const voidEmails = prepare(
  query
    .update(outbox)
    .set({ state: 'expired', settledAt: given('now'), payloadSealed: null })
    .where(eq(outbox.state, 'pending'))
    .returning({ id: outbox.id }),
);

/** Each yields the ids of what it voids: codes and links, then challenges. */
export function voidAllOneTimes(): readonly Statement<{ readonly id: string }>[] {
  return [voidOneTimes(), voidChallenges()];
}

/** Emails that wait: after a restore they may have been sent already. */
export function voidWaitingEmails(now: number): Statement<{ readonly id: string }> {
  return voidEmails({ now });
}
