/**
 * CORS from an exact list (ASVS 3.4.2): an origin is compared as a whole, `*` is never sent, and
 * `Vary: Origin` is on every answer if any origin is listed, so that a shared cache never serves
 * one origin's answer to another.
 */
import type { HeaderRecord } from './answer.ts';

export interface Cors {
  /** Headers of an ordinary answer to this Origin. */
  headers(origin: string | undefined): HeaderRecord;
  /** Headers of the answer to a preflight. */
  preflight(origin: string | undefined, allowedMethods: readonly string[]): HeaderRecord;
}

/**
 * Undefined when no origin is listed.
 *
 * @param origins exact origins, spelled as in the Origin header
 * @param credentialed the origins that may send the refresh cookie
 */
export function createCors(
  origins: readonly string[],
  credentialed: readonly string[],
): Cors | undefined {
  const allowed = new Set([...origins, ...credentialed]);
  const withCookies = new Set(credentialed);
  if (allowed.size === 0) return undefined;
  const vary: HeaderRecord = { vary: 'Origin' };
  const forOrigin = new Map<string, HeaderRecord>();
  for (const origin of allowed)
    forOrigin.set(origin, {
      ...vary,
      'access-control-allow-origin': origin,
      'access-control-expose-headers':
        'Device-Token, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id',
      ...(withCookies.has(origin) ? { 'access-control-allow-credentials': 'true' } : {}),
    });
  const headers = (origin: string | undefined): HeaderRecord =>
    origin === undefined ? vary : (forOrigin.get(origin) ?? vary);
  return {
    headers,
    preflight: (origin, methods) => {
      if (origin === undefined || !allowed.has(origin)) return vary;
      return {
        ...headers(origin),
        'access-control-allow-methods': methods.join(', '),
        'access-control-allow-headers':
          'Authorization, Content-Type, X-Request-Id, Traceparent, Tracestate, Baggage, Sentry-Trace',
        'access-control-max-age': '600',
      };
    },
  };
}
