/**
 * The refresh token in a cookie: `__Host-` (Secure, Path=/, no Domain), HttpOnly, SameSite=Strict
 * (ASVS 3.3.1–3.3.4), beside the device token in one of its own. A request that brings the cookie
 * must come from a listed Origin: SameSite knows sites, and a sibling host of the site may be an
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

/** The value of a cookie, or null. A name that stands twice is nobody's: null. */
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
