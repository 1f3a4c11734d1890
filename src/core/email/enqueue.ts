/**
 * Writing emails into the outbox. Limits are part of the statement that writes the row, so that
 * parallel requests can't pass them (L06).
 */
import { createHmac } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { and, eq, lte, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
import { HOUR_MS, sealPurpose } from './outbox.ts';
import type { Email, OutboxKeys } from './outbox.ts';
import { outbox } from './tables.ts';

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
