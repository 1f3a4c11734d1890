/**
 * Claims emails to be sent, fairly: lanes put urgent emails before those that strangers can request
 * in large numbers, and within a lane the recipients' domains take turns, so that neither a flood
 * to one domain nor a slow domain delays the others.
 */
import { and, eq, gt, inArray, lte, sql } from 'drizzle-orm';
import { SealError } from '../../crypto/seal.ts';
import type { Sealer } from '../../crypto/seal.ts';
import type { Database } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RowOfColumns } from '../../db/prepare.ts';
import { isJsonObject } from '../../lib/json.ts';
import { LANES_OF } from './lanes.ts';
import type { Channel } from './lanes.ts';
import { expireEmails, giveUpEmail, isPending, sealPurpose } from './outbox.ts';
import type { Email } from './outbox.ts';
import { outbox } from './tables.ts';
import { OUTBOX_TEMPLATES } from './templates.ts';
import type { TemplateValues } from './templates.ts';

/** An email, with the number of attempts to send it. */
export interface ClaimedEmail extends Email {
  readonly kind: 'real' | 'decoy';
  readonly lane: number;
  readonly domain: string;
  readonly attempts: number;
  readonly createdAt: number;
  readonly expiresAt: number;
}

const isOfLane = and(isPending, eq(outbox.lane, given('lane')));
const isDue = lte(outbox.nextAt, given('now'));

const anyDueOf = (channel: Channel) =>
  prepare(
    query
      .select({ id: outbox.id })
      .from(outbox)
      .where(and(isPending, inArray(outbox.lane, [...LANES_OF[channel]]), isDue))
      .limit(1),
  );
const anyDue = { email: anyDueOf('email'), sms: anyDueOf('sms') };

/** Whether any is due: a read without a write lock, because most checks find nothing. */
export async function hasDueEmails(
  db: Database,
  now: number,
  channel: Channel = 'email',
): Promise<boolean> {
  return (await db.read(anyDue[channel]({ now }))).length > 0;
}

const nextDomain = prepare(
  query
    .select({ domain: outbox.domain, nextAt: outbox.nextAt })
    .from(outbox)
    .where(
      and(
        isOfLane,
        eq(
          outbox.domain,
          query
            .select({ first: sql<string>`min(${outbox.domain})` })
            .from(outbox)
            .where(and(isOfLane, gt(outbox.domain, given('after')))),
        ),
      ),
    )
    .orderBy(outbox.nextAt)
    .limit(1),
);

/** A recipient's domain, and the time from which one of its emails may be claimed. */
export interface WaitingDomain {
  readonly domain: string;
  readonly nextAt: number;
}

/** The next domain of a lane, in alphabetical order; null after the last one. */
export async function findNextDomain(
  db: Database,
  lane: number,
  after: string,
): Promise<WaitingDomain | null> {
  return (await db.read(nextDomain({ lane, after })))[0] ?? null;
}

const claim = prepare(
  query
    .update(outbox)
    .set({
      nextAt: given('leasedUntil'),
      leasedUntil: given('leasedUntil'),
      attempts: sql`${outbox.attempts} + 1`,
    })
    .where(
      inArray(
        outbox.id,
        query
          .select({ id: outbox.id })
          .from(outbox)
          .where(
            and(
              isOfLane,
              eq(outbox.domain, given('domain')),
              isDue,
              gt(outbox.expiresAt, given('now')),
            ),
          )
          .orderBy(outbox.nextAt)
          .limit(sql.placeholder('count')),
      ),
    )
    .returning({
      id: outbox.id,
      template: outbox.template,
      kind: outbox.kind,
      lane: outbox.lane,
      domain: outbox.domain,
      recipient: outbox.recipient,
      payloadSealed: outbox.payloadSealed,
      attempts: outbox.attempts,
      createdAt: outbox.createdAt,
      expiresAt: outbox.expiresAt,
    }),
);

export interface Claim {
  readonly now: number;
  /** How long the emails are leased: if this process dies, another one claims them afterwards. */
  readonly leaseMs: number;
  /** How many emails of which domain. */
  readonly turns: readonly Turn[];
}

export interface Turn {
  readonly lane: number;
  readonly domain: string;
  readonly count: number;
}

/** Claims emails that are due, for the time of the lease. */
export async function claimEmails(
  db: Database,
  sealer: Sealer,
  { now, leaseMs, turns }: Claim,
): Promise<ClaimedEmail[]> {
  const claims = turns.map((turn) => claim({ ...turn, now, leasedUntil: now + leaseMs }));
  const [, ...claimed] = await db.write([expireEmails(now), ...claims]);
  const rows = claimed.flat();
  const emails = rows.map((row) => opened(sealer, row));
  // Give up an email that can't be opened, or it would be claimed again and again.
  const unreadable = rows.filter((_, at) => emails[at] === null);
  if (unreadable.length > 0) {
    const error = 'its content could not be opened';
    await db.write(unreadable.map(({ id }) => giveUpEmail({ id, now, error })));
  }
  return emails.filter((email) => email !== null);
}

type ClaimedRow = Pick<
  RowOfColumns<typeof outbox._.columns>,
  Exclude<keyof ClaimedEmail, 'values'> | 'payloadSealed'
>;

/**
 * Null when it was sealed for another email or recipient, with an unknown key, or by a version that
 * knows other templates.
 */
function opened(sealer: Sealer, claimed: ClaimedRow): ClaimedEmail | null {
  const { payloadSealed, template: name, ...rest } = claimed;
  const template = OUTBOX_TEMPLATES.find((known) => known === name);
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
