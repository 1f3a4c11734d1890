/**
 * The outbox: emails are rows of the commit that they speak of and go out afterwards, at least once
 * (G7). Here: what takes them to be sent, and how a delivery ended.
 */
import type { KeyObject } from 'node:crypto';
import { and, eq, gt, inArray, lte, ne, or, sql } from 'drizzle-orm';
import { SealError } from '../../crypto/seal.ts';
import type { Sealer } from '../../crypto/seal.ts';
import type { Database } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RowOfColumns } from '../../db/prepare.ts';
import { isJsonObject } from '../../lib/json.ts';
import type { Sweep } from '../sweep.ts';
import { outbox } from './tables.ts';
import { TEMPLATES } from './templates.ts';
import type { TemplateName, TemplateValues } from './templates.ts';

export interface Email {
  readonly id: string;
  readonly template: TemplateName;
  /** The address as it was typed. */
  readonly recipient: string;
  readonly values: TemplateValues;
}

/** An email with how often it was tried. */
export interface ClaimedEmail extends Email {
  readonly attempts: number;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface OutboxKeys {
  readonly sealer: Sealer;
  /** Keys the hash of addresses. */
  readonly derivedKey: KeyObject;
}

export const HOUR_MS = 3_600_000;

/** Bound to everything that decides where the content goes and what is made of it. */
export const sealPurpose = ({ id, template, recipient }: Omit<Email, 'values'>): string =>
  `outbox.payload_sealed:${id}\n${template}\n${recipient}`;

const isPending = eq(outbox.state, 'pending');
const isDue = and(
  isPending,
  lte(outbox.nextAt, given('now')),
  lte(outbox.leasedUntil, given('now')),
);

const expire = prepare(
  query
    .update(outbox)
    .set({ state: 'expired', settledAt: given('now'), payloadSealed: null })
    .where(and(isPending, lte(outbox.expiresAt, given('now')))),
);

const claim = prepare(
  query
    .update(outbox)
    .set({ leasedUntil: given('leasedUntil'), attempts: sql`${outbox.attempts} + 1` })
    .where(
      inArray(
        outbox.id,
        query
          .select({ id: outbox.id })
          .from(outbox)
          .where(and(isDue, gt(outbox.expiresAt, given('now'))))
          .orderBy(outbox.nextAt)
          .limit(sql.placeholder('batch')),
      ),
    )
    .returning({
      id: outbox.id,
      template: outbox.template,
      recipient: outbox.recipient,
      payloadSealed: outbox.payloadSealed,
      attempts: outbox.attempts,
      createdAt: outbox.createdAt,
      expiresAt: outbox.expiresAt,
    }),
);

const anyDue = prepare(
  query
    .select({ id: outbox.id })
    .from(outbox)
    .where(or(isDue, and(isPending, lte(outbox.expiresAt, given('now')))))
    .limit(1),
);

/** Whether there is anything to take: a look that holds nobody up, for most looks find nothing. */
export async function hasDueEmails(db: Database, now: number): Promise<boolean> {
  return (await db.read(anyDue({ now }))).length > 0;
}

export interface Claim {
  readonly now: number;
  /** For how long the emails are held: whoever dies with one leaves it to the next after that. */
  readonly leaseMs: number;
  readonly batch: number;
}

/** Takes emails that are due, for a while. */
export async function claimEmails(
  db: Database,
  sealer: Sealer,
  { now, leaseMs, batch }: Claim,
): Promise<ClaimedEmail[]> {
  const [, rows] = await db.write([
    expire({ now }),
    claim({ now, leasedUntil: now + leaseMs, batch }),
  ]);
  const emails = rows.map((claimed) => opened(sealer, claimed));
  // One that can't be read must not come back with seven others each time, and keep them waiting.
  const unreadable = rows.filter((_, at) => emails[at] === null);
  if (unreadable.length > 0) {
    const error = 'its content could not be opened';
    await db.write(unreadable.map(({ id }) => giveUp({ id, now, error })));
  }
  return emails.filter((email) => email !== null);
}

type ClaimedRow = Pick<
  RowOfColumns<typeof outbox._.columns>,
  'id' | 'template' | 'recipient' | 'payloadSealed' | 'attempts' | 'createdAt' | 'expiresAt'
>;

/**
 * Null when it was sealed for another email or recipient, by an unknown key, or by a version that
 * knows more templates.
 */
function opened(sealer: Sealer, claimed: ClaimedRow): ClaimedEmail | null {
  const { payloadSealed, template: name, ...rest } = claimed;
  const template = TEMPLATES.find((known) => known === name);
  if (template === undefined || payloadSealed === null) return null;
  try {
    const content = sealer.open(sealPurpose({ ...rest, template }), payloadSealed);
    const values: unknown = JSON.parse(content.toString('utf8'));
    return { ...rest, template, values: isJsonObject(values) ? textsOf(values) : {} };
  } catch (error) {
    if (error instanceof SealError) return null;
    throw error;
  }
}

function textsOf(values: Record<string, unknown>): TemplateValues {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}

const isPendingId = and(eq(outbox.id, given('id')), isPending);

const sent = prepare(
  query
    .update(outbox)
    .set({ state: 'sent', settledAt: given('now'), payloadSealed: null, lastError: null })
    .where(isPendingId),
);
const later = prepare(
  query
    .update(outbox)
    .set({ nextAt: given('nextAt'), leasedUntil: 0, lastError: given('error') })
    .where(isPendingId),
);
const giveUp = prepare(
  query
    .update(outbox)
    .set({ state: 'dead', settledAt: given('now'), lastError: given('error') })
    .where(isPendingId),
);

/**
 * How a delivery ended. One that was given up keeps its content until it expires, for an operator
 * may send it again.
 */
export type Settlement =
  | { readonly outcome: 'sent' }
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
    case 'later':
      await db.write([later({ id, nextAt: settlement.nextAt, error: settlement.error })]);
      return;
    case 'dead':
      await db.write([giveUp({ id, now, error: settlement.error })]);
  }
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

const unsent = inArray(outbox.state, ['pending', 'dead']);

const list = prepare(
  query
    .select(entryColumns)
    .from(outbox)
    .where(unsent)
    .orderBy(outbox.createdAt, outbox.id)
    .limit(LISTED),
);

/** What still waits, and what was given up. */
export async function listOutbox(db: Database): Promise<OutboxEntry[]> {
  return db.read(list());
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
        gt(outbox.expiresAt, given('now')),
        sql`(${given('id')} = '' OR ${outbox.id} = ${given('id')})`,
      ),
    )
    .returning({ id: outbox.id }),
);

/** Sends given-up and waiting emails again; `id` is empty for all of them. Gives their number. */
export async function retryOutbox(db: Database, now: number, id: string): Promise<number> {
  const [rows] = await db.write([retry({ now, id })]);
  return rows.length;
}

/** Settled emails count against the limits of an hour. */
export const SETTLED_EMAILS_KEPT_MS = 2 * HOUR_MS;

/** Settled emails that no limit counts any more. */
export const outboxSweep: Sweep = prepare(
  query
    .delete(outbox)
    .where(
      inArray(
        outbox.id,
        query
          .select({ id: outbox.id })
          .from(outbox)
          .where(
            and(
              ne(outbox.state, 'pending'),
              lte(outbox.createdAt, given('before')),
              sql`${outbox.expiresAt} <= ${given('before')} + ${SETTLED_EMAILS_KEPT_MS}`,
            ),
          )
          .limit(sql.placeholder('batch')),
      ),
    )
    .returning({ id: outbox.id }),
);
