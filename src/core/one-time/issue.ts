/**
 * Issues one-time codes and links. Their hashes are stored only if the email that carries them was
 * written in the same commit.
 */
import { and, eq, exists, gt, isNull, notExists, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import { hashSecret, randomToken } from '../../crypto/secret.ts';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { Random } from '../../lib/id.ts';
import type { RefusalCode } from '../../refusal.ts';
import { outbox } from '../email/tables.ts';
import { guarded } from '../guards.ts';
import { user } from '../user/tables.ts';
import type { User } from '../user/user.ts';
import { CODE_TTL_MS, isId, isOpen } from './one-time.ts';
import type { OneTimePurpose } from './one-time.ts';
import { oneTime } from './tables.ts';

export interface NewOneTime {
  readonly id: string;
  readonly purpose: OneTimePurpose;
  readonly userId: string | null;
  readonly subject: string | null;
  /** The link's token in clear; its hash is stored. */
  readonly token: string | null;
  /** A password hash of the typed code. */
  readonly codeHash: string | null;
  readonly payloadSealed: string | null;
  readonly now: number;
  readonly ttlMs: number;
}

function valuesOf({ token, now, ttlMs, ...values }: NewOneTime) {
  return {
    ...values,
    tokenHash: token === null ? null : hashSecret(token),
    now,
    codeExpiresAt: now + Math.min(CODE_TTL_MS, ttlMs),
    expiresAt: now + ttlMs,
  };
}

/**
 * Whether the email of this commit will be sent, and is not a decoy because of a limit of its
 * address.
 */
const emailWaits = exists(
  query
    .select({ id: outbox.id })
    .from(outbox)
    .where(and(eq(outbox.id, given('emailId')), eq(outbox.kind, 'real'))),
);

/** A given value, if the email will be sent; else NULL. */
const ifEmailWaits = (name: string): SQL =>
  sql`CASE WHEN ${emailWaits} THEN ${given(name)} ELSE NULL END`;

const common = {
  id: given('id').as('id'),
  purpose: given('purpose').as('purpose'),
  subject: given('subject').as('subject'),
  attempts: sql<number>`0`.as('attempts'),
  payloadSealed: given('payloadSealed').as('payload_sealed'),
  createdAt: given('now').as('created_at'),
  codeExpiresAt: given('codeExpiresAt').as('code_expires_at'),
  expiresAt: given('expiresAt').as('expires_at'),
  spentAt: sql<null>`NULL`.as('spent_at'),
};

/** In the order of the table's columns, as drizzle inserts them. */
function selection(own: { userId: SQL; tokenHash: SQL; codeHash: SQL }) {
  const { id, purpose, subject, ...rest } = common;
  const { attempts, payloadSealed, createdAt, codeExpiresAt, expiresAt, spentAt } = rest;
  return {
    id,
    purpose,
    userId: own.userId.as('user_id'),
    subject,
    tokenHash: own.tokenHash.as('token_hash'),
    codeHash: own.codeHash.as('code_hash'),
    attempts,
    payloadSealed,
    createdAt,
    codeExpiresAt,
    expiresAt,
    spentAt,
  };
}

const insert = prepare(
  query.insert(oneTime).select(
    query
      .select(
        selection({
          userId: ifEmailWaits('userId'),
          tokenHash: ifEmailWaits('tokenHash'),
          codeHash: ifEmailWaits('codeHash'),
        }),
      )
      .from(sql`(SELECT 1)`),
  ),
);

/**
 * The statement that issues a code or link. The hashes are stored only if the email that carries
 * them, written earlier in the same commit, is not a decoy: a code that was never sent would only
 * be one more to guess (O06).
 */
export function insertOneTime(values: NewOneTime, emailId: string): Statement {
  return insert({ ...valuesOf(values), emailId });
}

/** A literal, because SQLite uses a partial index only where the condition is a constant. */
const isPendingRegistration = and(
  sql`${oneTime.purpose} = 'registration'`,
  isNull(oneTime.spentAt),
  gt(oneTime.expiresAt, given('now')),
);

const insertPending = prepare(
  query.insert(oneTime).select(
    query
      .select(
        selection({
          userId: sql`NULL`,
          tokenHash: ifEmailWaits('tokenHash'),
          codeHash: ifEmailWaits('codeHash'),
        }),
      )
      .from(sql`(SELECT 1)`)
      .where(
        notExists(
          query
            .select({ one: sql`1` })
            .from(oneTime)
            .where(isPendingRegistration)
            .limit(1)
            .offset(sql.placeholder('spared')),
        ),
      ),
  ),
);

/**
 * The same for a registration whose address is not verified yet: anybody can start one, so at most
 * `maxPending` wait at once; beyond that the commit is refused with `overloaded`.
 */
export function insertPendingRegistration(
  values: NewOneTime,
  emailId: string,
  maxPending: number,
): Statement {
  const statement = insertPending({ ...valuesOf(values), emailId, spared: maxPending - 1 });
  return guarded(statement, 'overloaded');
}

const insertInState = prepare(
  query.insert(oneTime).select(
    query
      .select(
        selection({
          userId: sql`${user.id}`,
          tokenHash: given('tokenHash'),
          codeHash: given('codeHash'),
        }),
      )
      .from(user)
      .where(
        and(eq(user.id, given('userId')), eq(user.epoch, given('epoch')), isNull(user.disabledAt)),
      ),
  ),
);

/**
 * The statement that issues a link whose email is under no limit, or that no email carries, only
 * while its user is in the state that was read; else refused with `code`.
 */
export function insertOneTimeFor(
  { id: userId, epoch }: Pick<User, 'id' | 'epoch'>,
  values: NewOneTime,
  code: RefusalCode,
): Statement {
  const statement = insertInState({ ...valuesOf(values), userId, epoch });
  return guarded(statement, code);
}

/** 192 random bits: a code is worth nothing without the id of its row (ASVS 6.6.2). */
export const OTP_ID_BYTES = 24;

/** A link's token: 256 random bits. */
export function newToken(random: Random): string {
  return randomToken(random, 32);
}

const replace = prepare(
  query
    .update(oneTime)
    .set({
      tokenHash: given('tokenHash'),
      codeHash: given('codeHash'),
      codeExpiresAt: given('codeExpiresAt'),
    })
    .where(and(isId, isOpen, emailWaits)),
);

/**
 * The statement that replaces the code and link by new ones, if the email that carries them was
 * written; wrong tries stay counted (L04).
 */
export function replaceSecrets(values: {
  readonly id: string;
  readonly token: string;
  readonly codeHash: string;
  readonly now: number;
  readonly emailId: string;
}): Statement {
  const { token, now, ...rest } = values;
  return replace({ ...rest, now, tokenHash: hashSecret(token), codeExpiresAt: now + CODE_TTL_MS });
}
