/**
 * The outbox: emails are rows of the commit that causes them, and are sent afterwards, at least
 * once (G7). This file records how a delivery ended and lists emails for operators; `claim.ts`
 * claims them for sending.
 */
import type { KeyObject } from 'node:crypto';
import { and, eq, gt, inArray, lte, sql } from 'drizzle-orm';
import type { Sealer } from '../../crypto/seal.ts';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RowOfColumns } from '../../db/prepare.ts';
import { guarded } from '../guards.ts';
import type { Sweep } from '../sweep.ts';
import { DEFERRED, SMS_LANE } from './lanes.ts';
import { outbox } from './tables.ts';
import type { OutboxTemplate, TemplateValues } from './templates.ts';

export interface Email {
  readonly id: string;
  readonly template: OutboxTemplate;
  /** The address as it was typed, or the number. */
  readonly recipient: string;
  readonly values: TemplateValues;
}

export interface OutboxKeys {
  readonly sealer: Sealer;
  /** The key for the hash of addresses. */
  readonly derivedKey: KeyObject;
}

export const HOUR_MS = 3_600_000;

/** The seal is bound to everything that decides the recipient and the rendering. */
export const sealPurpose = ({ id, template, recipient }: Omit<Email, 'values'>): string =>
  `outbox.payload_sealed:${id}\n${template}\n${recipient}`;

/** A literal, because SQLite uses a partial index only where the condition is a constant. */
export const isPending = sql`${outbox.state} = 'pending'`;

/** Settled emails still count against the limits of an hour. */
export const SETTLED_EMAILS_KEPT_MS = 2 * HOUR_MS;

/**
 * A settled email keeps only what the limits count, without personal data, and only as long as the
 * limits look back.
 */
const erased = {
  settledAt: given('now'),
  recipient: '',
  domain: '-',
  payloadSealed: null,
  expiresAt: given('now'),
  purgeAt: sql`${outbox.createdAt} + ${SETTLED_EMAILS_KEPT_MS}`,
};

/** A small batch, because it shares a commit with other writes. */
const EXPIRED_AT_ONCE = 100;

const expire = prepare(
  query
    .update(outbox)
    .set({ ...erased, state: 'expired' })
    .where(
      inArray(
        outbox.id,
        query
          .select({ id: outbox.id })
          .from(outbox)
          .where(and(isPending, lte(outbox.expiresAt, given('now'))))
          .limit(EXPIRED_AT_ONCE),
      ),
    ),
);

/** The statement that settles emails that have expired. */
export function expireEmails(now: number): Statement<unknown> {
  return expire({ now });
}

const isPendingId = and(eq(outbox.id, given('id')), isPending);

const sent = prepare(
  query
    .update(outbox)
    .set({ ...erased, state: 'sent', lastError: null })
    .where(isPendingId),
);
const dropped = prepare(
  query
    .update(outbox)
    .set({ ...erased, state: 'void', lastError: null })
    .where(isPendingId),
);
const later = prepare(
  query
    .update(outbox)
    .set({
      nextAt: given('nextAt'),
      leasedUntil: 0,
      lane: sql`CASE WHEN ${outbox.lane} >= ${SMS_LANE.first} THEN ${SMS_LANE.deferred} ELSE ${outbox.lane} % ${DEFERRED} + ${DEFERRED} END`,
      lastError: given('error'),
    })
    .where(isPendingId),
);
const giveUp = prepare(
  query
    .update(outbox)
    .set({ state: 'dead', settledAt: given('now'), lastError: given('error') })
    .where(isPendingId),
);

/** The statement that gives an email up; it keeps its content until it expires. */
export function giveUpEmail(values: {
  readonly id: string;
  readonly now: number;
  readonly error: string;
}): Statement<unknown> {
  return giveUp({ ...values });
}

/**
 * Records how a delivery ended; a decoy is dropped. A given-up email keeps its content until it
 * expires, because an operator may retry it.
 */
export type Settlement =
  | { readonly outcome: 'sent' | 'dropped' }
  | { readonly outcome: 'later'; readonly nextAt: number; readonly error: string }
  | { readonly outcome: 'dead'; readonly error: string };

export async function settleEmail(
  db: Database,
  id: string,
  settlement: Settlement,
  now: number,
): Promise<void> {
  switch (settlement.outcome) {
    case 'sent':
      await db.write([sent({ id, now })]);
      return;
    case 'dropped':
      await db.write([dropped({ id, now })]);
      return;
    case 'later':
      await db.write([later({ id, nextAt: settlement.nextAt, error: settlement.error })]);
      return;
    case 'dead':
      await db.write([giveUp({ id, now, error: settlement.error })]);
  }
}

const forget = prepare(
  query
    .update(outbox)
    .set({ ...erased, state: 'void' })
    .where(
      and(
        eq(outbox.recipientKey, given('recipientKey')),
        inArray(outbox.state, ['pending', 'dead']),
      ),
    ),
);

/** The statement that erases unsent emails to an address whose account is deleted. */
export function forgetRecipient(recipientKey: string, now: number): Statement {
  return forget({ recipientKey, now });
}

const entryColumns = {
  id: outbox.id,
  template: outbox.template,
  recipient: outbox.recipient,
  state: outbox.state,
  attempts: outbox.attempts,
  nextAt: outbox.nextAt,
  createdAt: outbox.createdAt,
  expiresAt: outbox.expiresAt,
  lastError: outbox.lastError,
};

export type OutboxEntry = RowOfColumns<typeof entryColumns>;

const LISTED = 1_000;

const unsent = and(eq(outbox.kind, 'real'), inArray(outbox.state, ['pending', 'dead']));

const list = prepare(
  query
    .select(entryColumns)
    .from(outbox)
    .where(unsent)
    .orderBy(outbox.createdAt, outbox.id)
    .limit(LISTED),
);

/** Emails that are waiting, and emails that were given up. */
export async function listOutbox(db: Database): Promise<OutboxEntry[]> {
  return db.read(list());
}

const waitingFor = prepare(
  query
    .select(entryColumns)
    .from(outbox)
    .where(and(eq(outbox.recipientKey, given('recipientKey')), unsent))
    .orderBy(outbox.createdAt, outbox.id)
    .limit(LISTED),
);

/** What waits or was given up for one address, by its {@link Emails.keyOf}. */
export async function listWaiting(
  db: Pick<Database, 'read'>,
  recipientKey: string,
): Promise<readonly OutboxEntry[]> {
  return db.read(waitingFor({ recipientKey }));
}

const cancel = prepare(
  query
    .update(outbox)
    .set({ ...erased, state: 'void' })
    .where(and(eq(outbox.id, given('id')), unsent)),
);

/** The statement that erases an email that waits or was given up; refused with `not_found` if gone. */
export function cancelEmail(id: string, now: number): Statement {
  return guarded(cancel({ id, now }), 'not_found');
}

const retry = prepare(
  query
    .update(outbox)
    .set({
      state: 'pending',
      nextAt: given('now'),
      leasedUntil: 0,
      attempts: 0,
      settledAt: null,
    })
    .where(
      and(
        unsent,
        // An email that the courier has claimed is being sent.
        lte(outbox.leasedUntil, given('now')),
        gt(outbox.expiresAt, given('now')),
        sql`(${given('id')} = '' OR ${outbox.id} = ${given('id')})`,
      ),
    )
    .returning({ id: outbox.id }),
);

/** Retries given-up and waiting emails; an empty `id` means all of them. Returns their number. */
export async function retryOutbox(db: Database, now: number, id: string): Promise<number> {
  const [rows] = await db.write([retry({ now, id })]);
  return rows.length;
}

/** Emails that are settled or expired and that no limit counts any more. */
export const outboxSweep: Sweep = prepare(
  query
    .delete(outbox)
    .where(
      inArray(
        outbox.id,
        query
          .select({ id: outbox.id })
          .from(outbox)
          .where(and(lte(outbox.purgeAt, given('before')), lte(outbox.expiresAt, given('before'))))
          .limit(sql.placeholder('batch')),
      ),
    )
    .returning({ id: outbox.id }),
);
