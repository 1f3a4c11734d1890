/**
 * Limits per client, in front of routes that are costly or can be guessed at: the generic cell rate
 * algorithm, one number in memory for each client and limit. They bound what one client can cause;
 * attempt counters in the database bound what all of them can guess of one account.
 */
import { createGrowingLru } from '../../lib/growing-lru.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Rate } from '../../lib/rate.ts';
import { Refusal } from '../../refusal.ts';
import { networkOf, widerNetworkOf } from '../session/requester.ts';
import type { Requester } from '../session/requester.ts';

export const LIMIT_NAMES = ['login', 'register', 'emails', 'refresh', 'token', 'check'] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];

/** Who is limited: an API key or a session when one was presented, else the network. */
export type LimitedClient =
  | { readonly kind: 'api_key' | 'session'; readonly id: string }
  | { readonly kind: 'network'; readonly requester: Pick<Requester, 'ip'> };

/** A limit after a request was counted; draft-ietf-httpapi-ratelimit-headers §3. */
export interface LimitState {
  readonly name: LimitName;
  readonly rate: Rate;
  /** Requests that may still come at once. */
  readonly remaining: number;
  /** Whole seconds until all of them may. */
  readonly resetSeconds: number;
  /** Whole seconds to wait; null when the request may go on. */
  readonly retryAfterSeconds: number | null;
}

export interface LimitPolicy {
  readonly rates: Readonly<Record<LimitName, Rate | 'off'>>;
  /** How many clients are remembered; the one that was away longest is forgotten first. */
  readonly entries: number;
}

export interface Limits {
  /**
   * Takes one request out of a client's share, if there is one left; null where there is no limit.
   */
  take(name: LimitName, client: LimitedClient): LimitState | null;
  /** The same for what is decided within an operation. @throws {Refusal} rate_limited */
  demand(name: LimitName, client: LimitedClient): void;
}

/** An IPv6 /48 has 65,536 networks of /64, and all of them together this many shares. */
const WIDER_SHARES = 16;

/** A share refills continuously, and its sums are rounded. */
const ROUNDING_MS = 0.001;

interface Share {
  readonly key: string;
  readonly count: number;
}

/** The shares that a request is taken out of. */
function sharesOf(name: LimitName, { count }: Rate, client: LimitedClient): readonly Share[] {
  if (client.kind !== 'network') return [{ key: `${name} ${client.kind} ${client.id}`, count }];
  const own = { key: `${name} ${networkOf(client.requester)}`, count };
  const wider = widerNetworkOf(client.requester);
  return wider === null ? [own] : [own, { key: `${name} ${wider}`, count: count * WIDER_SHARES }];
}

export function createLimits(clock: Clock, { rates, entries }: LimitPolicy): Limits {
  /** When each share would be whole again, monotonic milliseconds. */
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
