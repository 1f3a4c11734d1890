/**
 * The outbox: letters are rows of the commit that they speak of and go out afterwards, at least
 * once (G7). Limits are part of the statement that writes the row, so that parallel requests can't
 * pass them (L06); an address that nobody has is counted and answered alike.
 */
import { createHmac } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { guarded, raw } from '../../db/prepare.ts';
import type { Database, Statement } from '../../db/database.ts';
import { SealError } from '../../crypto/seal.ts';
import type { Sealer } from '../../crypto/seal.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
import { isJsonObject } from '../../lib/json.ts';

export const LETTERS = [
  'verify_registration',
  'account_exists',
  'verify_address',
  'reset_password',
  'password_changed',
  'address_change_requested',
  'address_changed',
  'unusual_sign_in',
  'factor_added',
  'factor_removed',
  'recovery_codes_renewed',
  'recovery_code_used',
  'second_factor_failed',
  'passkey_suspect',
  'sign_in_code',
  'test',
] as const;
export type LetterName = (typeof LETTERS)[number];

/** What a letter says: texts by name, for its template. */
export type LetterValues = Readonly<Record<string, string>>;

export interface Letter {
  readonly id: string;
  readonly letter: LetterName;
  /** The address as it was typed. */
  readonly recipient: string;
  readonly values: LetterValues;
}

/** A letter with how often it was tried. */
export interface ClaimedLetter extends Letter {
  readonly attempts: number;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface OutboxDeps {
  readonly sealer: Sealer;
  /** Keys the hash of addresses. */
  readonly derivedKey: KeyObject;
}

export interface MailLimits {
  /** Shortest time between two letters of a kind to one address, milliseconds. */
  readonly interval: number;
  /** Of a kind. */
  readonly max_per_hour: number;
}

export interface NewLetter extends Letter {
  readonly now: number;
  /** After this nobody would want it any more, milliseconds. */
  readonly ttlMs: number;
  /** False: counted and never sent. */
  readonly isReal: boolean;
}

const HOUR_MS = 3_600_000;

/** Bound to all that decides where the content goes and what is made of it. */
const sealPurpose = ({
  id,
  letter,
  recipient,
}: {
  id: string;
  letter: string;
  recipient: string;
}): string => `outbox.payload_sealed:${id}\n${letter}\n${recipient}`;

/**
 * The address as it was typed, at the domain that was compared: programs behind us read a domain in
 * ways of their own (ASVS 1.5.3).
 */
function deliverable(address: string): string {
  const canonical = canonicalEmail(address);
  return canonical === null
    ? address
    : address.slice(0, address.indexOf('@')) + canonical.slice(canonical.indexOf('@'));
}

function recipientKey(key: KeyObject, address: string): string {
  return createHmac('sha256', key)
    .update(`postern recipient\n${canonicalEmail(address) ?? address}`)
    .digest('base64url');
}

const VALUES =
  ':id, :letter, :limitGroup, :recipient, :recipientKey, :payloadSealed, :state, :now, :now, :expiresAt';
const INTO =
  'INSERT INTO outbox (id, letter, limit_group, recipient, recipient_key, payload_sealed, state, next_at, created_at, expires_at)';
const insert = raw(`${INTO} VALUES (${VALUES})`);
const insertLimited = raw(
  `${INTO} SELECT ${VALUES}
   WHERE (SELECT count(*) FROM outbox WHERE recipient_key = :recipientKey AND created_at > :now - ${HOUR_MS} AND created_at <= :now AND limit_group = :limitGroup) < :maxPerHour
     AND NOT EXISTS (SELECT 1 FROM outbox WHERE recipient_key = :recipientKey AND created_at > :now - :interval AND created_at <= :now AND limit_group = :limitGroup)`,
);

const insertSpaced = raw(
  `${INTO} SELECT ${VALUES} WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE recipient_key = :recipientKey AND letter = :letter AND created_at > :now - :interval AND created_at <= :now)`,
);

/** What a guarded letter says when the address has had its share. */
export const MAIL_LIMITED = 'mail_limited';

function valuesOf(
  { sealer, derivedKey }: OutboxDeps,
  letter: NewLetter,
): Record<string, string | number | null> {
  const { id, now, ttlMs, isReal } = letter;
  const recipient = isReal ? deliverable(letter.recipient) : '';
  return {
    id,
    letter: letter.letter,
    recipient,
    recipientKey: recipientKey(derivedKey, letter.recipient),
    payloadSealed: sealer.seal(
      sealPurpose({ id, letter: letter.letter, recipient }),
      Buffer.from(JSON.stringify(letter.values)),
    ),
    state: isReal ? 'pending' : 'void',
    now,
    expiresAt: now + ttlMs,
  };
}

/** The statement that writes a letter that has to be told: no limit holds it back. */
export function postLetter(deps: OutboxDeps, letter: NewLetter): Statement {
  return insert({ ...valuesOf(deps, letter), limitGroup: '' });
}

/**
 * The same, but not when its like was written within the interval: what a user can bring about
 * again and again fills no mailbox (L06).
 */
export function postSpacedLetter(deps: OutboxDeps, interval: number, letter: NewLetter): Statement {
  return insertSpaced({ ...valuesOf(deps, letter), interval, limitGroup: '' });
}

/**
 * The statement that writes a letter that somebody asked for, within the limits of its address;
 * else its list is undone.
 */
export function postLimitedLetter(
  deps: OutboxDeps,
  limits: MailLimits,
  letter: NewLetter,
  limitGroup: string,
): Statement {
  return guarded(
    insertLimited({
      ...valuesOf(deps, letter),
      interval: limits.interval,
      maxPerHour: limits.max_per_hour,
      limitGroup,
    }),
    MAIL_LIMITED,
  );
}

interface Row {
  id: string;
  letter: string;
  recipient: string;
  payloadSealed: string;
  attempts: number;
  createdAt: number;
  expiresAt: number;
}

const expire = raw(
  `UPDATE outbox SET state = 'expired', settled_at = :now, payload_sealed = NULL WHERE state = 'pending' AND expires_at <= :now`,
);
const claim = raw<Row>(
  `UPDATE outbox SET leased_until = :leasedUntil, attempts = attempts + 1
   WHERE id IN (SELECT id FROM outbox WHERE state = 'pending' AND next_at <= :now AND leased_until <= :now AND expires_at > :now ORDER BY next_at LIMIT :batch)
   RETURNING id, letter, recipient, payload_sealed, attempts, created_at, expires_at`,
  ['id', 'letter', 'recipient', 'payloadSealed', 'attempts', 'createdAt', 'expiresAt'],
);

const anyDue = raw<{ id: string }>(
  `SELECT id FROM outbox WHERE state = 'pending' AND ((next_at <= :now AND leased_until <= :now) OR expires_at <= :now) LIMIT 1`,
  ['id'],
);

/** Whether there is anything to take: a look that holds nobody up, for most looks find nothing. */
export async function hasDueLetters(db: Database, now: number): Promise<boolean> {
  return (await db.read(anyDue({ now }))).length > 0;
}

/**
 * Takes letters that are due, for a while: whoever dies with one leaves it to the next when the
 * while is over.
 */
export async function claimLetters(
  db: Database,
  { sealer }: Pick<OutboxDeps, 'sealer'>,
  now: number,
  leaseMs: number,
  batch: number,
): Promise<ClaimedLetter[]> {
  const [, rows] = await db.write([
    expire({ now }),
    claim({ now, leasedUntil: now + leaseMs, batch }),
  ]);
  const letters = rows.map((row) => opened(sealer, row));
  // One that can't be read must not come back with seven others each time, and keep them waiting.
  const unreadable = rows.filter((_, at) => letters[at] === null);
  if (unreadable.length > 0)
    await db.write(
      unreadable.map(({ id }) => dead({ id, now, error: 'its content could not be opened' })),
    );
  return letters.filter((letter) => letter !== null);
}

/**
 * Null when it was sealed for another letter or recipient, by an unknown key, or by a version that
 * knows more letters.
 */
function opened(
  sealer: Sealer,
  { payloadSealed, letter: name, ...row }: Row,
): ClaimedLetter | null {
  const letter = LETTERS.find((known) => known === name);
  if (letter === undefined) return null;
  try {
    const values: unknown = JSON.parse(
      sealer.open(sealPurpose({ ...row, letter }), payloadSealed).toString('utf8'),
    );
    return { ...row, letter, values: isJsonObject(values) ? textsOf(values) : {} };
  } catch (error) {
    if (error instanceof SealError) return null;
    throw error;
  }
}

function textsOf(values: Record<string, unknown>): LetterValues {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}

const sent = raw(
  `UPDATE outbox SET state = 'sent', settled_at = :now, payload_sealed = NULL, last_error = NULL WHERE id = :id AND state = 'pending'`,
);
const later = raw(
  `UPDATE outbox SET next_at = :nextAt, leased_until = 0, last_error = :error WHERE id = :id AND state = 'pending'`,
);
const dead = raw(
  `UPDATE outbox SET state = 'dead', settled_at = :now, last_error = :error WHERE id = :id AND state = 'pending'`,
);

/**
 * How a delivery ended. A dead letter keeps its content until it expires, for an operator may send
 * it again.
 */
export type Settlement =
  | { readonly outcome: 'sent' }
  | { readonly outcome: 'later'; readonly nextAt: number; readonly error: string }
  | { readonly outcome: 'dead'; readonly error: string };

export async function settleLetter(
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
      await db.write([dead({ id, now, error: settlement.error })]);
  }
}

export interface OutboxEntry {
  readonly id: string;
  readonly letter: string;
  readonly recipient: string;
  readonly state: string;
  readonly attempts: number;
  readonly nextAt: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly lastError: string | null;
}

const list = raw<OutboxEntry>(
  `SELECT id, letter, recipient, state, attempts, next_at, created_at, expires_at, last_error FROM outbox WHERE state IN ('pending', 'dead') ORDER BY created_at, id LIMIT 1000`,
  [
    'id',
    'letter',
    'recipient',
    'state',
    'attempts',
    'nextAt',
    'createdAt',
    'expiresAt',
    'lastError',
  ],
);

/** What still waits, and what was given up. */
export async function listOutbox(db: Database): Promise<OutboxEntry[]> {
  return db.read(list());
}

const retry = raw<{ id: string }>(
  `UPDATE outbox SET state = 'pending', next_at = :now, leased_until = 0, attempts = 0, settled_at = NULL WHERE state IN ('dead', 'pending') AND expires_at > :now AND (:id = '' OR id = :id) RETURNING id`,
  ['id'],
);

/** Sends given-up and waiting letters again, one or all; the number. */
export async function retryOutbox(db: Database, now: number, id: string): Promise<number> {
  const [rows] = await db.write([retry({ now, id })]);
  return rows.length;
}

const purge = raw<{ id: string }>(
  `DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state <> 'pending' AND created_at <= :before AND expires_at <= :now LIMIT :batch) RETURNING id`,
  ['id'],
);

/** The statement that removes settled letters once no limit counts them any more. */
export function purgeOutbox(now: number, keptMs: number, batch: number): Statement<{ id: string }> {
  return purge({ now, before: now - keptMs, batch });
}
