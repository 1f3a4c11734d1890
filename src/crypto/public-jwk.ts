/** Public keys of strangers: whether one is a key at all before it is kept. */
import { createPublicKey } from 'node:crypto';

/** What a key is made of, base64url (RFC 7517, RFC 8037). */
export type StrangersJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string };

/** Of RSA keys, in bits: less is no signature to rely on, more is work for nothing. */
const MIN_RSA_BITS = 2_048;
const MAX_RSA_BITS = 8_192;

/** Whether it is a key: a point on its curve, a modulus that is long enough (W07). */
export function isSoundPublicJwk(jwk: StrangersJwk): boolean {
  try {
    const { asymmetricKeyDetails } = createPublicKey({ key: { ...jwk }, format: 'jwk' });
    const bits = asymmetricKeyDetails?.modulusLength;
    return (
      jwk.kty !== 'RSA' || (bits !== undefined && bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS)
    );
  } catch {
    return false;
  }
}
