/**
 * A hash that only this service can compute (HMAC-SHA-256, RFC 2104): of a name or address that is
 * to be recognised and not kept.
 */
import { createHmac } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/**
 * The purpose separates the uses of one key from one another; lines of text follow, none of which
 * but the last may contain a line break. 43 characters of base64url.
 */
export function keyedHash(key: KeyObject, purpose: string, ...lines: readonly string[]): string {
  return createHmac('sha256', key)
    .update([`postern ${purpose}`, ...lines].join('\n'))
    .digest('base64url');
}

/** The HMAC-SHA-256 of a text under a secret that another service gave us, in hexadecimal digits. */
export function hmacHex(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}
