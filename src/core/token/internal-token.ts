/**
 * Tokens that only this service reads: refresh and challenge tokens. HS256 under an internal key
 * that is in no JWKS, so that they can't be mistaken for access tokens; each kind has its own `typ`
 * and its own verify function.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8725#section-3.11
 */
import { JwsError, signJws, verifyJws } from '../../crypto/jws.ts';
import type { JwsKey } from '../../crypto/jws.ts';
import { Refusal } from '../../refusal.ts';

export interface InternalKeys {
  /**
   * The key that signs at a time, wall-clock milliseconds: reproducing an earlier token requires
   * its former key.
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
