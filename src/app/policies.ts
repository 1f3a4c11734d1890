/** What the configuration says of the parts of the core, in their own words. */
import type { Config } from '../config/schema.ts';
import type { AttemptLimits } from '../core/attempt/attempts.ts';
import type { LimitPolicy } from '../core/limit/limits.ts';
import type { SessionLimits } from '../core/session/session.ts';
import type { SigningKeyPolicy } from '../core/signing-key/signing-key.ts';

/**
 * The longest that tokens.access_ttl may be, so that a shorter one orphans no token that is out.
 */
const LONGEST_ACCESS_MS = 15 * 60_000;
/** How long a superseded key verifies beyond its tokens' life, for clocks that differ. */
const LEEWAY_MS = 60_000;

/** What the configuration says of signing keys. */
export function signingKeyPolicy(
  { tokens, sessions }: Config,
  internalTokenTypes: readonly string[] = [],
): SigningKeyPolicy {
  return {
    algorithm: tokens.algorithm,
    sharedSecret: tokens.shared_secret,
    rotationMs: tokens.key_rotation,
    publishAheadMs: tokens.key_publish_ahead,
    lifetimes: {
      accessMs: LONGEST_ACCESS_MS + LEEWAY_MS,
      internalMs: sessions.refresh_ttl + LEEWAY_MS,
    },
    internalTokenTypes,
  };
}

/** What the configuration says of attempt counters. */
export function attemptLimits({ throttle }: Pick<Config, 'throttle'>): AttemptLimits {
  return {
    allowance: throttle.attempts,
    windowMs: throttle.window,
    waitMs: throttle.wait,
    maxWaitMs: throttle.max_wait,
    maxFailures: throttle.max_failures,
  };
}

/** What the configuration says of limits per client. */
export function limitPolicy({ limits }: Config): LimitPolicy {
  const { entries, fields: _, ...rates } = limits;
  return { rates, entries };
}

export function sessionLimits({ sessions }: Config): SessionLimits {
  return {
    refreshTtlMs: sessions.refresh_ttl,
    idleTtlMs: sessions.idle_ttl,
    refreshGraceMs: sessions.refresh_grace,
    maxPerUser: sessions.max_per_user,
  };
}
