/**
 * Writes emails into the outbox. The limits are part of the statement that writes the row, so that
 * parallel requests can't exceed them (L06). A requested email without a recipient, or over a
 * limit, is written as a decoy and processed like the others: the work after the answer reveals no
 * more than the answer does (E03, E06).
 */
import type { KeyObject } from 'node:crypto';
import { and, eq, exists, gt, isNotNull, isNull, lte, notExists, or, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import { keyedHash } from '../../crypto/keyed-hash.ts';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
import { guarded } from '../guards.ts';
import { user } from '../user/tables.ts';
import { LANE } from './lanes.ts';
import { HOUR_MS, SETTLED_EMAILS_KEPT_MS, sealPurpose } from './outbox.ts';
import type { Email, OutboxKeys } from './outbox.ts';
import { outbox } from './tables.ts';

export interface EmailLimits {
  /** Minimum time between two emails of a kind to one address, milliseconds. */
  readonly intervalMs: number;
  /** Maximum per hour of a kind to one address. */
  readonly maxPerHour: number;
  /** Maximum requested from one network in an hour. */
  readonly maxPerNetwork: number;
  /** Maximum requested by everybody in an hour. */
  readonly maxRequested: number;
}

/**
 * A network that requested nothing for an address within the hour gets one email to it even if
 * other networks used up the address's limit: six requests an hour must not lock an owner out. All
 * networks together can send this multiple of `maxPerHour` there.
 */
const SHARES_OF_NEWCOMERS = 3;

export interface NewEmail extends Email {
  readonly now: number;
  /** Milliseconds after which it is not sent any more. */
  readonly ttlMs: number;
}

/** Who requested an email, and for which address. */
export interface EmailRequest {
  /** Emails that share one interval and one hourly limit. */
  readonly group: string;
  /** The network of the request; null when it isn't known. */
  readonly network: string | null;
  /** `decoy` for an address without an account: counted like others, never sent. */
  readonly kind: 'real' | 'decoy';
  readonly urgency: keyof typeof LANE;
  /** If set, it is sent only while the user is still in this state. */
  readonly onlyFor?: { readonly id: string; readonly epoch: number };
}

/**
 * The local part as it was typed, with the domain in the form that was compared: mail software may
 * read other spellings of a domain differently (ASVS 1.5.3).
 */
function deliverable(address: string): string {
  const canonical = canonicalEmail(address);
  if (canonical === null) return address;
  return address.slice(0, address.indexOf('@')) + canonical.slice(canonical.indexOf('@'));
}

const NO_DOMAIN = '-';

function domainOf(address: string): string {
  const canonical = canonicalEmail(address);
  return canonical === null ? NO_DOMAIN : canonical.slice(canonical.indexOf('@') + 1);
}

/** A keyed hash of an address, which the limits use after the address was erased. */
export function recipientKey(key: KeyObject, address: string): string {
  return keyedHash(key, 'recipient', canonicalEmail(address) ?? address);
}

export const NEXT_SEQ = sql<number>`coalesce(${query
  .select({ last: outbox.seq })
  .from(outbox)
  .where(isNotNull(outbox.seq))
  .orderBy(sql`${outbox.seq} DESC`)
  .limit(1)}, 0) + 1`;

interface OwnColumns {
  readonly kind: SQL;
  readonly limitGroup: SQL;
  readonly recipient: SQL;
  readonly seq: SQL;
  readonly payloadSealed: SQL;
}

/** In the order of the table's columns, as drizzle inserts them. */
export const rowOf = (own: OwnColumns) => ({
  id: given('id').as('id'),
  template: given('template').as('letter'),
  kind: own.kind.as('kind'),
  lane: given('lane').as('lane'),
  limitGroup: own.limitGroup.as('limit_group'),
  domain: given('domain').as('domain'),
  recipient: own.recipient.as('recipient'),
  recipientKey: given('recipientKey').as('recipient_key'),
  requesterKey: given('requesterKey').as('requester_key'),
  seq: own.seq.as('seq'),
  payloadSealed: own.payloadSealed.as('payload_sealed'),
  state: sql`'pending'`.as('state'),
  attempts: sql<number>`0`.as('attempts'),
  nextAt: given('now').as('next_at'),
  leasedUntil: sql<number>`0`.as('leased_until'),
  createdAt: given('now').as('created_at'),
  expiresAt: given('expiresAt').as('expires_at'),
  purgeAt: given('purgeAt').as('purge_at'),
  settledAt: sql<null>`NULL`.as('settled_at'),
  lastError: sql<null>`NULL`.as('last_error'),
});

export const insertIf = (row: ReturnType<typeof rowOf>, from: SQL, condition: SQL | undefined) =>
  prepare(query.insert(outbox).select(query.select(row).from(from).where(condition)));

const within = (ageMs: SQL): SQL | undefined =>
  and(gt(outbox.createdAt, sql`${given('now')} - ${ageMs}`), lte(outbox.createdAt, given('now')));
const HOUR = sql`${HOUR_MS}`;

const counted = (...conditions: (SQL | undefined)[]): SQL =>
  sql`${query
    .select({ count: sql<number>`count(*)` })
    .from(outbox)
    .where(
      and(
        eq(outbox.recipientKey, given('recipientKey')),
        eq(outbox.limitGroup, given('limitGroup')),
        ...conditions,
      ),
    )}`;

const noneOfInterval = sql`${counted(within(given('intervalMs')))} = 0`;

const plainRow = rowOf({
  kind: sql`'real'`,
  limitGroup: given('limitGroup'),
  recipient: given('recipient'),
  seq: sql`NULL`,
  payloadSealed: given('payloadSealed'),
});
const insert = insertIf(plainRow, sql`(SELECT 1)`, undefined);
const insertSpaced = insertIf(plainRow, sql`(SELECT 1)`, noneOfInterval);

const ofNetwork = eq(outbox.requesterKey, given('requesterKey'));

/** Whether the limits of the address allow an email: only emails that they allowed are counted. */
const isCounted = or(
  and(sql`${counted(within(HOUR))} < ${given('maxPerHour')}`, noneOfInterval),
  and(
    sql`${counted(within(HOUR))} < ${given('maxPerHour')} * ${SHARES_OF_NEWCOMERS}`,
    sql`${counted(within(HOUR), ofNetwork)} = 0`,
  ),
);

export const isInState = or(
  isNull(given('userId')),
  exists(
    query
      .select({ id: user.id })
      .from(user)
      .where(
        and(eq(user.id, given('userId')), eq(user.epoch, given('epoch')), isNull(user.disabledAt)),
      ),
  ),
);

/** Counts the network's emails of the last hour, and stops at the limit. */
export const networkHasRoom = or(
  eq(given('requesterKey'), sql`''`),
  notExists(
    query
      .select({ one: sql`1` })
      .from(outbox)
      .where(and(ofNetwork, isNotNull(outbox.seq), within(HOUR)))
      .limit(1)
      .offset(sql.placeholder('spared')),
  ),
);

/** The email as many numbers back as the budget must be older than an hour. */
export const allHaveRoom = notExists(
  query
    .select({ one: sql`1` })
    .from(outbox)
    .where(and(eq(outbox.seq, sql`${NEXT_SEQ} - ${given('maxRequested')}`), within(HOUR))),
);

const isSent = sql`(is_counted AND ${given('kind')} = 'real' AND ${isInState})`;
const insertLimited = insertIf(
  rowOf({
    kind: sql`CASE WHEN ${isSent} THEN 'real' ELSE 'decoy' END`,
    limitGroup: sql`CASE WHEN is_counted THEN ${given('limitGroup')} ELSE '' END`,
    recipient: sql`CASE WHEN ${isSent} THEN ${given('recipient')} ELSE '' END`,
    seq: NEXT_SEQ,
    payloadSealed: sql`CASE WHEN ${isSent} THEN ${given('payloadSealed')} ELSE ${given('decoySealed')} END`,
  }),
  sql`(SELECT ${isCounted} AS is_counted)`,
  and(networkHasRoom, allHaveRoom),
);

function valuesOf({ sealer, derivedKey }: OutboxKeys, email: NewEmail) {
  const { id, template, now, ttlMs } = email;
  const recipient = deliverable(email.recipient);
  const content = Buffer.from(JSON.stringify(email.values));
  const expiresAt = now + ttlMs;
  return {
    id,
    template,
    recipient,
    recipientKey: recipientKey(derivedKey, email.recipient),
    domain: domainOf(email.recipient),
    requesterKey: '',
    lane: LANE.urgent,
    payloadSealed: sealer.seal(sealPurpose({ id, template, recipient }), content),
    decoySealed: sealer.seal(sealPurpose({ id, template, recipient: '' }), content),
    now,
    expiresAt,
    purgeAt: Math.max(expiresAt, now + SETTLED_EMAILS_KEPT_MS),
  };
}

export const waking = (statement: Statement): Statement => ({
  afterwards: 'wake_courier',
  ...statement,
});

/** The statement that writes a notice, to which no limit applies. */
export function insertNotice(keys: OutboxKeys, email: NewEmail): Statement {
  return waking(insert({ limitGroup: '', ...valuesOf(keys, email) }));
}

/**
 * The same, unless one of its template was written within the interval, so that a change that the
 * user can repeat does not fill the mailbox (L06).
 */
export function insertSpacedNotice(
  keys: OutboxKeys,
  intervalMs: number,
  email: NewEmail,
): Statement {
  const limitGroup = `notice ${email.template}`;
  return waking(insertSpaced({ intervalMs, limitGroup, ...valuesOf(keys, email) }));
}

/**
 * The statement that writes a requested email: to be sent if the limits of its address allow it and
 * its user is still in the state that was read; otherwise as a decoy. When the network, or all
 * networks together, have used up the hourly budget, the whole commit is refused with `overloaded`:
 * the rows that strangers can create are bounded.
 */
export function insertRequested(
  keys: OutboxKeys,
  limits: EmailLimits,
  { group, network, kind, urgency, onlyFor }: EmailRequest,
  email: NewEmail,
): Statement {
  const statement = insertLimited({
    ...valuesOf(keys, email),
    ...limits,
    spared: limits.maxPerNetwork - 1,
    limitGroup: group,
    requesterKey: network === null ? '' : keyedHash(keys.derivedKey, 'requester', network),
    kind,
    lane: LANE[urgency],
    userId: onlyFor?.id ?? null,
    epoch: onlyFor?.epoch ?? null,
  });
  return waking(guarded(statement, 'overloaded'));
}
