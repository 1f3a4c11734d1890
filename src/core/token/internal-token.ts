/**
 * Tokens that this service alone reads: refresh and challenge tokens. HS256 under an internal key
 * that is in no JWKS, so that nobody takes one for an access token; each kind has its own `typ` and
 * its own verify function on top of this one.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8725#section-3.11
 */
import { JwsError, signJws, verifyJws } from '../../crypto/jws.ts';
import type { JwsKey } from '../../crypto/jws.ts';
import { Refusal } from '../../refusal.ts';

export interface InternalKeys {
  /**
   * The key that signs at this moment, wall-clock milliseconds: a token that has to come out the
   * same again asks for its past one.
   */
  internalKeyAt(now: number): JwsKey;
  internalKeyByKid(kid: string): JwsKey | undefined;
}

export function signInternal(
  key: JwsKey,
  typ: string,
  claims: Readonly<Record<string, unknown>>,
): string {
  return signJws(key, typ, claims);
}

/** @throws {Refusal} invalid_token: form, type, key, signature, issuer or audience */
export function verifyInternal(
  keys: InternalKeys,
  issuer: string,
  typ: string,
  token: string,
): Record<string, unknown> {
  let payload: Record<string, unknown>;
  try {
    payload = verifyJws(token, typ, (kid) => keys.internalKeyByKid(kid));
  } catch (error) {
    if (error instanceof JwsError) throw new Refusal('invalid_token', { cause: error });
    throw error;
  }
  if (payload['iss'] !== issuer || payload['aud'] !== issuer) throw new Refusal('invalid_token');
  return payload;
}
