/**
 * CORS from an exact list (ASVS 3.4.2): an origin is compared as a whole, `*` is never sent, and
 * `Vary: Origin` is on every answer of a service that has a list at all, so that no shared cache
 * mixes callers.
 */
export interface Cors {
  /** Headers of an ordinary answer to this Origin. */
  headers(origin: string | undefined): readonly string[];
  /** Headers of the answer to a preflight. */
  preflight(origin: string | undefined, allowedMethods: readonly string[]): readonly string[];
}

const NONE: readonly string[] = [];

/**
 * @param origins exact origins, as the Origin header spells them
 * @param credentialed those of them that may send the refresh cookie
 */
export function createCors(origins: readonly string[], credentialed: readonly string[]): Cors {
  const allowed = new Set([...origins, ...credentialed]);
  const withCookies = new Set(credentialed);
  if (allowed.size === 0) return { headers: () => NONE, preflight: () => NONE };
  const vary: readonly string[] = ['vary', 'Origin'];
  const forOrigin = new Map<string, readonly string[]>();
  for (const origin of allowed) {
    const headers = [
      ...vary,
      'access-control-allow-origin',
      origin,
      'access-control-expose-headers',
      'Retry-After, WWW-Authenticate, X-Request-Id',
    ];
    if (withCookies.has(origin)) headers.push('access-control-allow-credentials', 'true');
    forOrigin.set(origin, headers);
  }
  const headers = (origin: string | undefined): readonly string[] =>
    origin === undefined ? vary : (forOrigin.get(origin) ?? vary);
  return {
    headers,
    preflight: (origin, methods) => {
      if (origin === undefined || !allowed.has(origin)) return vary;
      return [
        ...headers(origin),
        'access-control-allow-methods',
        methods.join(', '),
        'access-control-allow-headers',
        'Authorization, Content-Type, X-Request-Id, Traceparent',
        'access-control-max-age',
        '600',
      ];
    },
  };
}
