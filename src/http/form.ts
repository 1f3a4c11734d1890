/**
 * Forms as OAuth endpoints take them: `application/x-www-form-urlencoded` in UTF-8, within the same
 * limits as JSON. No parameter occurs twice (RFC 6749 §3.2), and every byte has one reading.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#appendix-B
 */
import { hasControlCharacters } from '../lib/text.ts';
import { Refusal } from '../refusal.ts';
import { MAX_BODY_BYTES } from './arrival.ts';
import type { Arrival } from './arrival.ts';

const FORM_TYPE =
  /^application\/x-www-form-urlencoded(?:[ \t]*;[ \t]*charset[ \t]*=[ \t]*(?:utf-8|"utf-8"))?[ \t]*$/i;

const MAX_PARAMETERS = 50;

/** The characters of a URL-encoded form; everything else must be percent-encoded. */
const ENCODED = /^(?:[!$'()*+,\-./:;@A-Z_a-z~0-9?]|%[0-9A-Fa-f]{2})*$/;

/** The same without percent-encoding, which is the usual case. */
const PLAIN = /^[A-Za-z0-9_.~-]*$/;

/** A name or a value, decoded; null when it is not form-urlencoded UTF-8. */
export function formDecode(text: string): string | null {
  if (PLAIN.test(text)) return text;
  if (!ENCODED.test(text)) return null;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return null;
  }
}

const malformed = (detail: string): Refusal => new Refusal('malformed_request', { detail });

/**
 * Parses a form, or the query of a target. A parameter without a value counts as absent (RFC 6749
 * §3.2); none may come twice (ASVS 15.3.7).
 *
 * @throws {Refusal} malformed_request
 */
export function parseForm(text: string, where: 'form' | 'query' = 'form'): Record<string, string> {
  const form = new Map<string, string>();
  const pairs = text === '' ? [] : text.split('&');
  if (pairs.length > MAX_PARAMETERS) throw malformed(`The ${where} has too many parameters.`);
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = formDecode(equals < 0 ? pair : pair.slice(0, equals));
    const value = formDecode(equals < 0 ? '' : pair.slice(equals + 1));
    if (name === null || value === null || name === '')
      throw malformed(`The ${where} is not application/x-www-form-urlencoded in UTF-8.`);
    if (hasControlCharacters(name) || hasControlCharacters(value))
      throw malformed(`The ${where} has control characters.`);
    if (form.has(name))
      throw malformed(`The ${where} has a parameter twice (RFC 6749 section 3.2).`);
    form.set(name, value);
  }
  return Object.fromEntries(
    [...form].filter(([name, value]) => value !== '' && name !== '__proto__'),
  );
}

/**
 * Reads and parses a form; `undefined` when the request has no body.
 *
 * @throws {Refusal} unsupported_media_type, content_too_large, malformed_request
 */
export async function readFormBody(arrival: Arrival): Promise<unknown> {
  if (!arrival.hasContent) return undefined;
  const encoding = arrival.header('content-encoding');
  const isPlain = encoding === undefined || encoding.toLowerCase() === 'identity';
  if (!isPlain || !FORM_TYPE.test(arrival.header('content-type') ?? ''))
    throw new Refusal('unsupported_media_type', {
      detail: 'Send application/x-www-form-urlencoded in UTF-8, without content encoding.',
    });
  if (Number(arrival.header('content-length') ?? 0) > MAX_BODY_BYTES)
    throw new Refusal('content_too_large');
  // Anything beyond ASCII must be percent-encoded, so each byte is one character.
  return parseForm((await arrival.readContent()).toString('latin1'));
}
