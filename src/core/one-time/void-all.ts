/**
 * Voids everything that can be used once: codes, links, pending registrations and answered
 * challenges. After a restore, those spent since the backup would be valid again; after an
 * incident, an attacker may have them.
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

/** Each returns the ids that it voids: of codes and links, then of challenges. */
export function voidAllOneTimes(): readonly Statement<{ readonly id: string }>[] {
  return [voidOneTimes(), voidChallenges()];
}

/** Unsent emails: after a restore they may have been sent already. */
export function voidWaitingEmails(now: number): Statement<{ readonly id: string }> {
  return voidEmails({ now });
}
