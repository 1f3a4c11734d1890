/**
 * Base64url without padding (RFC 4648 §5), strictly: one text for each byte string. Node's own
 * decoder skips what it does not know, takes `+` and `/` too and ignores spare bits, so that many
 * texts would name the same bytes (T1).
 *
 * @see https://www.rfc-editor.org/rfc/rfc4648#section-3.5
 */

const ALPHABET = /^[A-Za-z0-9_-]*$/;

/** The bytes of a canonical base64url text, or undefined for any other text. */
export function decodeBase64url(text: string): Buffer | undefined {
  // The expression comes first: a text of two-byte characters would make the comparison below the
  // slower way to say no.
  if (!ALPHABET.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/** Base64url text of bytes, or of the UTF-8 of a text. */
export function encodeBase64url(data: Uint8Array | string): string {
  if (typeof data === 'string') return Buffer.from(data, 'utf8').toString('base64url');
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64url');
}
