/** Checks that an untrusted public key is valid before it is stored. */
import { createPublicKey } from 'node:crypto';

/** The members of a key, base64url (RFC 7517, RFC 8037). */
export type StrangersJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string };

/** RSA modulus in bits: below is too weak, above is needless work. */
const MIN_RSA_BITS = 2_048;
const MAX_RSA_BITS = 8_192;

/** Whether it is a valid key: a point on its curve, or a modulus of an accepted length (W07). */
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
