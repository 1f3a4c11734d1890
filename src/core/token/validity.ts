/** The times of a token, in seconds since the epoch (RFC 7519 §4.1). */

/**
 * Tolerated clock difference between instances: a new token from a machine whose clock is ahead is
 * accepted.
 */
export const SKEW_SECONDS = 5;

/** Whether a token that only this service reads is current, and lives no longer than its kind. */
export function isCurrent(
  { exp, iat }: Readonly<Record<string, unknown>>,
  now: number,
  ttlSeconds: number,
): boolean {
  if (typeof exp !== 'number' || typeof iat !== 'number') return false;
  return exp > now && iat <= now + SKEW_SECONDS && exp - iat <= ttlSeconds;
}
