/**
 * Limits per client for routes that are costly or guessable, by the generic cell rate algorithm:
 * one number in memory per client and limit. They bound what one client can do; attempt counters in
 * the database bound what all clients together can guess of one account.
 */
import { createGrowingLru } from '../../lib/growing-lru.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Rate } from '../../lib/rate.ts';
import { Refusal } from '../../refusal.ts';
import { networkOf, widerNetworkOf } from '../requester.ts';
import type { Requester } from '../requester.ts';

export const LIMIT_NAMES = [
  'login',
  'register',
  'emails',
  'refresh',
  'token',
  'check',
  'reset',
] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];

/** Who is limited: the presented API key or session, else the network. */
export type LimitedClient =
  | { readonly kind: 'api_key' | 'session'; readonly id: string }
  | { readonly kind: 'network'; readonly requester: Pick<Requester, 'ip'> };

/** A limit after a request was counted; draft-ietf-httpapi-ratelimit-headers §3. */
export interface LimitState {
  readonly name: LimitName;
  readonly rate: Rate;
  /** Number of requests that may be made at once. */
  readonly remaining: number;
  /** Whole seconds until the full number is available again. */
  readonly resetSeconds: number;
  /** Whole seconds to wait; null when the request may proceed. */
  readonly retryAfterSeconds: number | null;
}

export interface LimitPolicy {
  readonly rates: Readonly<Record<LimitName, Rate | 'off'>>;
  /** How many clients are remembered; the least recently seen one is forgotten first. */
  readonly entries: number;
}

export interface Limits {
  /** Counts one request against a client's limit; null where there is no limit. */
  take(name: LimitName, client: LimitedClient): LimitState | null;
  /** The same for a decision within an operation. @throws {Refusal} rate_limited */
  demand(name: LimitName, client: LimitedClient): void;
}

/** An IPv6 /48 has 65,536 /64 networks; all of them together get this many times the limit. */
const WIDER_SHARES = 16;

/** A limit refills continuously, so its arithmetic has rounding errors. */
const ROUNDING_MS = 0.001;

interface Share {
  readonly key: string;
  readonly count: number;
}

/** The limits that a request counts against. */
function sharesOf(name: LimitName, { count }: Rate, client: LimitedClient): readonly Share[] {
  if (client.kind !== 'network') return [{ key: `${name} ${client.kind} ${client.id}`, count }];
  const own = { key: `${name} ${networkOf(client.requester)}`, count };
  const wider = widerNetworkOf(client.requester);
  return wider === null ? [own] : [own, { key: `${name} ${wider}`, count: count * WIDER_SHARES }];
}

export function createLimits(clock: Clock, { rates, entries }: LimitPolicy): Limits {
  /** When each limit would be full again, in monotonic milliseconds. */
  const wholeAt = createGrowingLru<string, number>(entries);

  const take: Limits['take'] = (name, client) => {
    const rate = rates[name];
    if (rate === 'off') return null;
    const { periodMs } = rate;
    const now = clock.monotonic();
    const shares = sharesOf(name, rate, client).map(({ key, count }) => {
      const eachMs = periodMs / count;
      const next = Math.max(now, wholeAt.get(key) ?? now) + eachMs;
      return { key, next, eachMs, waitMs: next - now - periodMs };
    });
    const waitMs = Math.max(...shares.map((share) => share.waitMs));
    if (waitMs > ROUNDING_MS) {
      const seconds = Math.max(1, Math.ceil(waitMs / 1000));
      return { name, rate, remaining: 0, resetSeconds: seconds, retryAfterSeconds: seconds };
    }
    for (const { key, next } of shares) wholeAt.set(key, next);
    const left = shares.map(({ next, eachMs }) => (periodMs - (next - now) + ROUNDING_MS) / eachMs);
    const usedMs = Math.max(...shares.map(({ next }) => next - now));
    return {
      name,
      rate,
      remaining: Math.floor(Math.min(...left)),
      resetSeconds: Math.ceil(usedMs / 1000),
      retryAfterSeconds: null,
    };
  };

  return {
    take,
    demand: (name, client) => {
      const retryAfterSeconds = take(name, client)?.retryAfterSeconds ?? null;
      if (retryAfterSeconds !== null) throw new Refusal('rate_limited', { retryAfterSeconds });
    },
  };
}

/** The value of a `RateLimit-Policy` field: a structured field (RFC 9651). */
export function policyText({ name, rate }: LimitState): string {
  return `"${name}";q=${rate.count};w=${Math.ceil(rate.periodMs / 1000)}`;
}

/** The value of a `RateLimit` field. */
export function stateText({ name, remaining, resetSeconds }: LimitState): string {
  return `"${name}";r=${remaining};t=${resetSeconds}`;
}
