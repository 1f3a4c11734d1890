/**
 * Chooses which emails are claimed next: lanes in order, each with its own capacity, so that a slow
 * lane never uses up that of another; within a lane the recipients' domains take turns.
 */
import { findNextDomain } from '../core/email/claim.ts';
import type { Turn, WaitingDomain } from '../core/email/claim.ts';
import { LANES_OF } from '../core/email/lanes.ts';
import type { Channel } from '../core/email/lanes.ts';
import type { Database } from '../db/database.ts';
import { EMAILS_AT_ONCE } from './transport.ts';

/**
 * Maximum concurrent messages of a lane to one domain, or one country: a slow one delays only
 * itself. All countries have one provider.
 */
const AT_ONCE_PER_DOMAIN: Readonly<Record<Channel, number>> = { email: 2, sms: 6 };

/**
 * The share of each lane in {@link EMAILS_AT_ONCE}: some capacity is left for every lane, however
 * busy the first ones are.
 */
const AT_ONCE_PER_LANE: readonly number[] = [6, 4, 2, 2];

/**
 * Domains checked at once, each with one index look-up: the check must not block the event loop for
 * long.
 */
const DOMAINS_AT_ONCE = 64;

/** An email in delivery, as far as turns depend on it. */
export interface UnderWay {
  readonly lane: number;
  readonly domain: string;
}

export interface Planned {
  readonly turns: readonly Turn[];
  /** False when some domains were not checked. */
  readonly isWhole: boolean;
}

export interface Turns {
  /** The emails to claim now, at most as many as there is capacity for. */
  plan(now: number): Promise<Planned>;
}

/** The domains of a lane, beginning after the given one and wrapping around. */
async function* domainsAfter(
  db: Database,
  lane: number,
  start: string,
): AsyncGenerator<WaitingDomain> {
  let next = await findNextDomain(db, lane, start);
  for (; next !== null; next = await findNextDomain(db, lane, next.domain)) yield next;
  if (start === '') return;
  next = await findNextDomain(db, lane, '');
  while (next !== null && next.domain <= start) {
    yield next;
    next = await findNextDomain(db, lane, next.domain);
  }
}

const count = (emails: Iterable<UnderWay>, lane: number, domain?: string): number => {
  let found = 0;
  for (const email of emails) {
    if (email.lane === lane && (domain === undefined || email.domain === domain)) found++;
  }
  return found;
};

/** Plans turns; `underWay` contains the courier's current deliveries, and changes. */
export function createTurns(
  db: Database,
  underWay: ReadonlySet<UnderWay>,
  channel: Channel = 'email',
): Turns {
  /** The domain that had the last turn of each lane. */
  const last = new Map<number, string>();

  /** The turns of one lane, beginning after the domain that had the last turn. */
  const turnsOf = async (lane: number, room: number, now: number): Promise<Planned> => {
    const turns: Turn[] = [];
    let looked = 0;
    for await (const { domain, nextAt } of domainsAfter(db, lane, last.get(lane) ?? '')) {
      last.set(lane, domain);
      const isBusy = count(underWay, lane, domain) >= AT_ONCE_PER_DOMAIN[channel];
      if (nextAt <= now && !isBusy) turns.push({ lane, domain, count: 1 });
      if (turns.length === room) break;
      if (++looked === DOMAINS_AT_ONCE) return { turns, isWhole: false };
    }
    return { turns, isWhole: true };
  };

  return {
    plan: async (now) => {
      const turns: Turn[] = [];
      let isWhole = true;
      for (const [at, lane] of LANES_OF[channel].entries()) {
        const free = EMAILS_AT_ONCE - underWay.size - turns.length;
        const room = Math.min(free, (AT_ONCE_PER_LANE[at] ?? 0) - count(underWay, lane));
        if (room <= 0) continue;
        const planned = await turnsOf(lane, room, now);
        turns.push(...planned.turns);
        isWhole &&= planned.isWhole;
      }
      return { turns, isWhole };
    },
  };
}
