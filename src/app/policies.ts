/** Converts the configuration to the settings of core modules. */
import type { Config } from '../config/schema.ts';
import type { AttemptLimits } from '../core/attempt/attempts.ts';
import type { LimitPolicy } from '../core/limit/limits.ts';
import type { SessionLimits } from '../core/session/session.ts';
import type { SigningKeyPolicy } from '../core/signing-key/signing-key.ts';

/** The maximum of tokens.access_ttl, so that shortening it does not orphan issued tokens. */
const LONGEST_ACCESS_MS = 15 * 60_000;
/** How long a superseded key still verifies after its last token expired, for clock differences. */
const LEEWAY_MS = 60_000;

/** The settings of signing keys. */
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

/** The settings of attempt counters. */
export function attemptLimits({ throttle }: Pick<Config, 'throttle'>): AttemptLimits {
  return {
    allowance: throttle.attempts,
    windowMs: throttle.window,
    waitMs: throttle.wait,
    maxWaitMs: throttle.max_wait,
    maxFailures: throttle.max_failures,
  };
}

/** The settings of the limits per client. */
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
