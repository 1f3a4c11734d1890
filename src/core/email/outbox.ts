/**
 * The outbox: emails are rows of the commit that they speak of and go out afterwards, at least once
 * (G7). Limits are part of the statement that writes the row, so that parallel requests can't pass
 * them (L06); an address without an account is counted and answered alike.
 */
import { createHmac } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { and, eq, gt, inArray, lte, ne, or, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import { SealError } from '../../crypto/seal.ts';
import type { Sealer } from '../../crypto/seal.ts';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RowOfColumns } from '../../db/prepare.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
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

export interface EmailLimits {
  /** Shortest time between two emails of a kind to one address, milliseconds. */
  readonly intervalMs: number;
  /** Of a kind, to one address. */
  readonly maxPerHour: number;
}

export interface NewEmail extends Email {
  readonly now: number;
  /** After this nobody would want it any more, milliseconds. */
  readonly ttlMs: number;
  /** `decoy`: counted and never sent, for an address without an account. */
  readonly kind: 'real' | 'decoy';
}

const HOUR_MS = 3_600_000;

/** Bound to everything that decides where the content goes and what is made of it. */
const sealPurpose = ({ id, template, recipient }: Omit<Email, 'values'>): string =>
  `outbox.payload_sealed:${id}\n${template}\n${recipient}`;

/**
 * The address as it was typed, at the domain that was compared: programs behind us read a domain in
 * ways of their own (ASVS 1.5.3).
 */
function deliverable(address: string): string {
  const canonical = canonicalEmail(address);
  if (canonical === null) return address;
  return address.slice(0, address.indexOf('@')) + canonical.slice(canonical.indexOf('@'));
}

function recipientKey(key: KeyObject, address: string): string {
  const text = `postern recipient\n${canonicalEmail(address) ?? address}`;
  return createHmac('sha256', key).update(text).digest('base64url');
}

/** In the order of the table's columns, which is the order in which drizzle inserts them. */
const row = {
  id: given('id').as('id'),
  template: given('template').as('letter'),
  limitGroup: given('limitGroup').as('limit_group'),
  recipient: given('recipient').as('recipient'),
  recipientKey: given('recipientKey').as('recipient_key'),
  payloadSealed: given('payloadSealed').as('payload_sealed'),
  state: given('state').as('state'),
  attempts: sql<number>`0`.as('attempts'),
  nextAt: given('now').as('next_at'),
  leasedUntil: sql<number>`0`.as('leased_until'),
  createdAt: given('now').as('created_at'),
  expiresAt: given('expiresAt').as('expires_at'),
  settledAt: sql<null>`NULL`.as('settled_at'),
  lastError: sql<null>`NULL`.as('last_error'),
};

const insertIf = (condition: SQL | undefined) =>
  prepare(query.insert(outbox).select(query.select(row).from(sql`(SELECT 1)`).where(condition)));

const toRecipientSince = (ageMs: SQL): SQL | undefined =>
  and(
    eq(outbox.recipientKey, given('recipientKey')),
    sql`${outbox.createdAt} > ${given('now')} - ${ageMs}`,
    lte(outbox.createdAt, given('now')),
  );
const counted = (where: SQL | undefined) =>
  query.select({ count: sql<number>`count(*)` }).from(outbox).where(where);

const insert = insertIf(undefined);

const sameGroup = eq(outbox.limitGroup, given('limitGroup'));
const insertLimited = insertIf(
  and(
    sql`(${counted(and(toRecipientSince(sql`${HOUR_MS}`), sameGroup))}) < ${given('maxPerHour')}`,
    sql`(${counted(and(toRecipientSince(given('intervalMs')), sameGroup))}) = 0`,
  ),
);

const sameTemplate = eq(outbox.template, given('template'));
const insertSpaced = insertIf(
  sql`(${counted(and(toRecipientSince(given('intervalMs')), sameTemplate))}) = 0`,
);

function valuesOf({ sealer, derivedKey }: OutboxKeys, email: NewEmail) {
  const { id, template, now, ttlMs, kind } = email;
  const recipient = kind === 'real' ? deliverable(email.recipient) : '';
  const content = Buffer.from(JSON.stringify(email.values));
  return {
    id,
    template,
    recipient,
    recipientKey: recipientKey(derivedKey, email.recipient),
    payloadSealed: sealer.seal(sealPurpose({ id, template, recipient }), content),
    state: kind === 'real' ? 'pending' : 'void',
    now,
    expiresAt: now + ttlMs,
  };
}

const waking = (statement: Statement): Statement => ({ ...statement, afterwards: 'wake_courier' });

/** The statement that writes a notice: no limit holds it back. */
export function insertNotice(keys: OutboxKeys, email: NewEmail): Statement {
  return waking(insert({ ...valuesOf(keys, email), limitGroup: '' }));
}

/**
 * The same, but not when one of its template was written within the interval: what a user can bring
 * about again and again fills no mailbox (L06).
 */
export function insertSpacedNotice(
  keys: OutboxKeys,
  intervalMs: number,
  email: NewEmail,
): Statement {
  return waking(insertSpaced({ ...valuesOf(keys, email), intervalMs, limitGroup: '' }));
}

/** The statement that writes a requested email, unless its address has had its share. */
export function insertRequested(
  keys: OutboxKeys,
  limits: EmailLimits,
  limitGroup: string,
  email: NewEmail,
): Statement {
  return waking(insertLimited({ ...valuesOf(keys, email), ...limits, limitGroup }));
}

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
