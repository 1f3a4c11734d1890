/**
 * Headers of every answer. The service answers programs, so nothing it sends may be rendered,
 * framed, sniffed or cached (ASVS 3.2.1, 3.4.1–3.4.6, 3.5.8, 14.3.2). No header names the program
 * or its version (ASVS 13.4.6).
 */
export interface SecurityHeaderOptions {
  /**
   * Strict-Transport-Security; a browser ignores it over plain HTTP (RFC 6797 §8.1), so it can be
   * sent behind any proxy.
   */
  readonly hsts: boolean;
}

export function securityHeaders(options: SecurityHeaderOptions): Record<string, string> {
  return {
    'x-content-type-options': 'nosniff',
    'content-security-policy':
      "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox",
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    ...(options.hsts ? { 'strict-transport-security': 'max-age=31536000; includeSubDomains' } : {}),
  };
}
