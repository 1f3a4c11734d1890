/**
 * Strict base64url without padding (RFC 4648 §5): exactly one text for each byte string. Node's own
 * decoder skips unknown characters, accepts `+` and `/`, and ignores spare bits, so that many texts
 * would decode to the same bytes (T1).
 *
 * @see https://www.rfc-editor.org/rfc/rfc4648#section-3.5
 */

const ALPHABET = /^[A-Za-z0-9_-]*$/;

/** The bytes of a canonical base64url text, or undefined for any other text. */
export function decodeBase64url(text: string): Buffer | undefined {
  // The expression comes first: it refuses texts of two-byte characters faster than the comparison
  // below.
  if (!ALPHABET.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/** Base64url of bytes, or of a text's UTF-8. */
export function encodeBase64url(data: Uint8Array | string): string {
  if (typeof data === 'string') return Buffer.from(data, 'utf8').toString('base64url');
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64url');
}
