/**
 * The refresh token in a cookie: `__Host-` (Secure, Path=/, no Domain), HttpOnly, SameSite=Strict
 * (ASVS 3.3.1–3.3.4); the device token has a cookie of its own. A request with the cookie must come
 * from a listed Origin: SameSite compares sites, and another host of the same site may be an
 * attacker's (CSRF).
 */
import { Refusal } from '../refusal.ts';

export const REFRESH_COOKIE = '__Host-refresh';
export const DEVICE_COOKIE = '__Host-device';

const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Strict';

export function setCookie(name: string, value: string, maxAgeSeconds: number): string {
  return `${name}=${value}; Max-Age=${maxAgeSeconds}; ${ATTRIBUTES}`;
}

export function clearCookie(name: string): string {
  return `${name}=; Max-Age=0; ${ATTRIBUTES}`;
}

/**
 * The value of a cookie; null if it is absent or occurs twice, since either value could be forged.
 */
export function readCookie(header: string | null, name: string): string | null {
  if (header === null) return null;
  let found: string | null = null;
  for (const part of header.split(';')) {
    const equals = part.indexOf('=');
    if (equals < 0 || part.slice(0, equals).trim() !== name) continue;
    if (found !== null) return null;
    found = part.slice(equals + 1).trim();
  }
  return found;
}

/** @throws {Refusal} origin_not_allowed unless the Origin header is exactly one of the list */
export function demandOrigin(origin: string | null, allowed: readonly string[]): void {
  if (origin === null || !allowed.includes(origin)) throw new Refusal('origin_not_allowed');
}

/** The detail for a page whose browser would not store the cookie. */
export const OTHER_SITE =
  'The page and this service are different sites, so the browser does not store the refresh cookie (SameSite=Strict). Use one host name for both (localhost and 127.0.0.1 are two) or subdomains of one domain, or leave "cookie" out.';

/**
 * Relies on Sec-Fetch-Site, which the browser sets, because a proxy may have rewritten Host.
 *
 * @throws {Refusal} origin_not_allowed when the browser would drop the cookie silently
 */
export function demandSameSite(secFetchSite: string | null): void {
  if (secFetchSite === 'cross-site')
    throw new Refusal('origin_not_allowed', { detail: OTHER_SITE });
}

/**
 * Whether Origin and Host are certainly of different sites. Without the public suffix list, the
 * last two labels are compared, so `a.co.uk` and `b.co.uk` count as one site.
 */
export function isOtherSite(origin: string | null, host: string | null): boolean {
  if (origin === null || host === null || !URL.canParse(origin)) return false;
  if (!URL.canParse(`http://${host}`)) return false;
  const page = new URL(origin).hostname;
  const own = new URL(`http://${host}`).hostname;
  if (page === own) return false;
  return IP_HOST.test(page) || IP_HOST.test(own) || siteOf(page) !== siteOf(own);
}

const IP_HOST = /^(?:\[.*\]|\d{1,3}(?:\.\d{1,3}){3})$/;

function siteOf(hostname: string): string {
  return hostname.split('.').slice(-2).join('.');
}
