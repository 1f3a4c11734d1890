/**
 * Which emails are taken next: lanes one before the other, each with room of its own, so that what is
 * slow in one never fills the place of another; within a lane the domains of recipients in turn.
 */
import { findNextDomain } from '../core/email/claim.ts';
import type { Turn, WaitingDomain } from '../core/email/claim.ts';
import { LANES } from '../core/email/lanes.ts';
import type { Database } from '../db/database.ts';
import { EMAILS_AT_ONCE } from './transport.ts';

/** Emails of one lane on their way to one domain: a slow domain holds up itself alone. */
const AT_ONCE_PER_DOMAIN = 2;

/**
 * Room of each lane among the {@link EMAILS_AT_ONCE}: some is left for each of the others, whatever
 * the first ones are given to do.
 */
const AT_ONCE_PER_LANE: readonly number[] = [6, 4, 2, 2];

/**
 * Domains looked at in one go, each by one look at an index: the event loop is needed by others.
 */
const DOMAINS_AT_ONCE = 64;

/** An email on its way, as far as turns depend on it. */
export interface UnderWay {
  readonly lane: number;
  readonly domain: string;
}

export interface Planned {
  readonly turns: readonly Turn[];
  /** False when there are domains that were not looked at. */
  readonly isWhole: boolean;
}

export interface Turns {
  /** What is to be claimed now, at most what there is room for. */
  plan(now: number): Promise<Planned>;
}

/** The domains of a lane after one of them, and then those before it. */
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

/** Plans turns; `underWay` is what the courier has in hand, and changes. */
export function createTurns(db: Database, underWay: ReadonlySet<UnderWay>): Turns {
  /** The domain that had the last turn of each lane. */
  const last = new Map<number, string>();

  /** The turns of one lane, beginning after the domain that had the last one. */
  const turnsOf = async (lane: number, room: number, now: number): Promise<Planned> => {
    const turns: Turn[] = [];
    let looked = 0;
    for await (const { domain, nextAt } of domainsAfter(db, lane, last.get(lane) ?? '')) {
      last.set(lane, domain);
      const isBusy = count(underWay, lane, domain) >= AT_ONCE_PER_DOMAIN;
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
      for (const [at, lane] of LANES.entries()) {
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
