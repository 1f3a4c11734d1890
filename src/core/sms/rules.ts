/**
 * Whether a text message may be sent: one conditional statement decides it and counts the message,
 * so that parallel requests can't exceed a limit. The limits of countries and networks stop those who
 * have messages sent to numbers that pay them (SMS pumping): such codes do not come back.
 *
 * @see https://docs.authgear.com/authentication-and-access/security/sms-pumping-protection
 */
import { and, desc, eq, exists, gt, gte, isNotNull, isNull, lte, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { ScheduledSweep } from '../sweep.ts';
import { smsDay, smsMessage as message } from './tables.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Unverified codes that one network may cause in an hour. */
const UNVERIFIED_PER_NETWORK = 5;
/** Countries that one network without a success may have messages sent to in a day. */
const COUNTRIES_PER_NETWORK = 3;
/** The hourly limit of a country is this part of the daily one, and at least the number below. */
const HOURS_SHARE = 6;
const LEAST_PER_HOUR = 3;
/** The daily limit of a country is this part of the best of the last days. */
const DAYS_SHARE = 5;
const DAYS = 14;
/**
 * A network that had nothing sent to a number within the day gets one message to it even if other
 * networks used up its limit; all together this many times the limit.
 */
const SHARES_OF_NEWCOMERS = 3;

export interface SmsLimits {
  /** Minimum time between two messages to one number, milliseconds. */
  readonly intervalMs: number;
  /** Messages a day to one number, and for one account. */
  readonly maxPerNumber: number;
  readonly maxPerNetwork: number;
  /** Messages a day in all. */
  readonly maxPerDay: number;
  /** Unverified codes a day to new numbers of one country that are always allowed. */
  readonly maxUnverified: number;
}

export const DENIALS = [
  'number',
  'account',
  'network_hour',
  'network_day',
  'network_countries',
  'country_hour',
  'country_day',
  'total',
] as const;
export type Denial = (typeof DENIALS)[number];

const NOW = given('now');
const within = (ageMs: SQL | number): SQL | undefined =>
  and(gt(message.createdAt, sql`${NOW} - ${ageMs}`), lte(message.createdAt, NOW));

const some = (...conditions: (SQL | undefined)[]) =>
  query
    .select({ one: sql`1` })
    .from(message)
    .where(and(...conditions))
    .limit(1);
const counted = (...conditions: (SQL | undefined)[]): SQL =>
  sql`${query
    .select({ count: sql<number>`count(*)` })
    .from(message)
    .where(and(...conditions))}`;

const toNumber = eq(message.numberKey, given('numberKey'));
const ofAccount = eq(message.accountKey, given('accountKey'));
const ofNetwork = eq(message.networkKey, given('networkKey'));
/** Literals, because SQLite uses a partial index only where the condition is a constant. */
const isUnverifiedNew = and(
  eq(message.country, given('country')),
  sql`${message.isNew} = 1`,
  isNull(message.verifiedAt),
);

const DAY_LIMIT = sql`max(${given('maxUnverified')}, coalesce(${query
  .select({ best: sql<number>`max(${smsDay.verified})` })
  .from(smsDay)
  .where(
    and(
      eq(smsDay.country, given('country')),
      gt(smsDay.dayAt, sql`${NOW} - ${DAYS * DAY_MS}`),
      lte(smsDay.dayAt, NOW),
    ),
  )}, 0) / ${sql.raw(String(DAYS_SHARE))})`;

const perDay = given('maxPerNumber');
const numberIsFull = sql`NOT (
  (${counted(toNumber, within(DAY_MS))} < ${perDay} AND NOT ${exists(some(toNumber, within(given('intervalMs'))))})
  OR (${counted(toNumber, within(DAY_MS))} < ${perDay} * ${SHARES_OF_NEWCOMERS} AND NOT ${exists(some(toNumber, ofNetwork, within(DAY_MS)))})
)`;
const accountIsFull = sql`(${given('accountKey')} <> '' AND ${counted(ofAccount, within(DAY_MS))} >= ${perDay})`;
const otherCountries = sql`${query
  .select({ count: sql<number>`count(DISTINCT ${message.country})` })
  .from(message)
  .where(and(ofNetwork, within(DAY_MS), sql`${message.country} <> ${given('country')}`))}`;
const hasSuccess = exists(some(ofNetwork, within(DAY_MS), isNotNull(message.verifiedAt)));
const NEXT_SEQ = sql<number>`coalesce(${query
  .select({ last: message.seq })
  .from(message)
  .where(isNotNull(message.seq))
  .orderBy(desc(message.seq))
  .limit(1)}, 0) + 1`;
/** The message as many numbers back as the limit must be older than a day. */
const dayIsFull = exists(
  some(eq(message.seq, sql`${NEXT_SEQ} - ${given('maxPerDay')}`), within(DAY_MS)),
);

const denial = sql<Denial | null>`CASE
  WHEN ${numberIsFull} THEN 'number'
  WHEN ${accountIsFull} THEN 'account'
  WHEN ${counted(ofNetwork, within(HOUR_MS), isNull(message.verifiedAt))} >= ${UNVERIFIED_PER_NETWORK} THEN 'network_hour'
  WHEN ${counted(ofNetwork, within(DAY_MS))} >= ${given('maxPerNetwork')} THEN 'network_day'
  WHEN ${otherCountries} >= ${COUNTRIES_PER_NETWORK} AND NOT ${hasSuccess} THEN 'network_countries'
  WHEN ${given('isNew')} = 1 AND ${counted(isUnverifiedNew, within(HOUR_MS))} >= max(${LEAST_PER_HOUR}, day_limit / ${sql.raw(String(HOURS_SHARE))}) THEN 'country_hour'
  WHEN ${given('isNew')} = 1 AND ${counted(isUnverifiedNew, within(DAY_MS))} >= day_limit THEN 'country_day'
  WHEN ${dayIsFull} THEN 'total'
  ELSE NULL END`;

const decide = prepare(
  query
    .insert(message)
    .select(
      query
        .select({
          id: given('id').as('id'),
          kind: given('kind').as('kind'),
          country: given('country').as('country'),
          isNew: given('isNew').as('is_new'),
          numberKey: given('numberKey').as('number_key'),
          accountKey: given('accountKey').as('account_key'),
          networkKey: given('networkKey').as('network_key'),
          createdAt: NOW.as('created_at'),
          verifiedAt: sql<null>`NULL`.as('verified_at'),
          seq: sql<
            number | null
          >`CASE WHEN rule IS NULL AND ${given('kind')} = 'real' THEN ${NEXT_SEQ} ELSE NULL END`.as(
            'seq',
          ),
          denied: sql<string | null>`rule`.as('denied'),
        })
        .from(sql`(SELECT ${denial} AS rule FROM (SELECT ${DAY_LIMIT} AS day_limit))`),
    )
    .returning({ denied: message.denied }),
);

export interface CountedMessage {
  readonly id: string;
  readonly kind: 'real' | 'decoy';
  readonly country: string;
  /** 1 if the rules of the country count it. */
  readonly isNew: 0 | 1;
  readonly numberKey: string;
  readonly accountKey: string;
  readonly networkKey: string;
  readonly now: number;
}

/** The statement that decides, and counts an allowed message; it returns the rule that denies it. */
export function decideSms(
  limits: SmsLimits,
  counted: CountedMessage,
): Statement<{ denied: string | null }> {
  return decide({ ...limits, ...counted });
}

const isId = eq(message.id, given('id'));
const drop = prepare(query.delete(message).where(and(isId, isNotNull(message.denied))));

/** The statement after it, and after the message was written or not: a denied one counts nowhere. */
export function dropDenied(id: string): Statement {
  return drop({ id });
}

/** A condition within the same commit: whether the message with `messageId` is allowed. */
export const isAllowed: SQL = exists(
  query
    .select({ id: message.id })
    .from(message)
    .where(and(eq(message.id, given('messageId')), isNull(message.denied))),
);

const isOpen = and(isId, isNull(message.verifiedAt));
const countSuccess = prepare(
  query
    .insert(smsDay)
    .select(
      query
        .select({
          country: message.country,
          dayAt: given('dayAt').as('day_at'),
          verified: sql<number>`1`.as('verified'),
        })
        .from(message)
        .where(and(isOpen, gte(message.isNew, 1))),
    )
    .onConflictDoUpdate({
      target: [smsDay.country, smsDay.dayAt],
      set: { verified: sql`${smsDay.verified} + 1` },
    }),
);
/** All that went to its number: who asks again because a message is late is no fraud. */
const markSuccess = prepare(
  query
    .update(message)
    .set({ verifiedAt: NOW })
    .where(
      and(
        eq(
          message.numberKey,
          query.select({ key: message.numberKey }).from(message).where(isId).limit(1),
        ),
        isNull(message.verifiedAt),
      ),
    ),
);

/** The statements when the code of a message came back. */
export function noteVerified(id: string, now: number): readonly Statement[] {
  return [countSuccess({ id, dayAt: now - (now % DAY_MS) }), markSuccess({ id, now })];
}

const sweepMessages = prepare(
  query
    .delete(message)
    .where(
      sql`${message.id} IN ${query
        .select({ id: message.id })
        .from(message)
        .where(lte(message.createdAt, given('before')))
        .limit(sql.placeholder('batch'))}`,
    )
    .returning({ id: message.id }),
);
const sweepDays = prepare(
  query
    .delete(smsDay)
    .where(
      sql`rowid IN (SELECT rowid FROM ${smsDay} WHERE ${lte(smsDay.dayAt, given('before'))} LIMIT ${sql.placeholder('batch')})`,
    )
    .returning({ country: smsDay.country }),
);

export const smsSweeps: readonly ScheduledSweep[] = [
  { sweep: sweepMessages, keptMs: DAY_MS },
  { sweep: sweepDays, keptMs: (DAYS + 1) * DAY_MS },
];
