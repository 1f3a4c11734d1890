/**
 * The pepper: argon2's secret input (RFC 9106 §3.1), kept apart from the database (N4). A stored
 * hash names the pepper that it was made with.
 */
import { createHmac } from 'node:crypto';
import { encodePhc } from './phc.ts';

const MIN_PEPPER_BYTES = 16;

/**
 * A pepper's bytes and its id. The id is an HMAC, so a stored hash reveals nothing of the pepper.
 */
export function namePepper(pepper: string): { id: string; secret: Uint8Array } {
  const secret = new TextEncoder().encode(pepper);
  if (secret.length < MIN_PEPPER_BYTES)
    throw new RangeError(`a pepper has at least ${MIN_PEPPER_BYTES} bytes`);
  return {
    id: encodePhc(
      createHmac('sha256', secret).update('postern pepper id v1').digest().subarray(0, 8),
    ),
    secret,
  };
}
