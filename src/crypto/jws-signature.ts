/**
 * The signature primitives of JWS (RFC 7518 §3, RFC 8037 §3.1) on `node:crypto`, synchronously:
 * WebCrypto would queue each token in the libuv pool. Each algorithm belongs to one kind of key; a
 * mismatch is refused when the key is prepared (R1, J02).
 */
import { constants, createHmac, sign, timingSafeEqual, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

export type JwsAlgorithm = 'ES256' | 'ES384' | 'ES512' | 'EdDSA' | 'RS256' | 'PS256' | 'HS256';

/** Minimum RSA modulus in bits (D1). */
const MIN_RSA_BITS = 3072;
/** Minimum HMAC secret in bytes (RFC 7518 §3.2). */
const MIN_SECRET_BYTES = 32;

interface Primitive {
  sign(key: KeyObject, data: Buffer): Buffer;
  verify(key: KeyObject, data: Buffer, signature: Buffer): boolean;
  /** Why a key does not fit this algorithm, or undefined. */
  fault(key: KeyObject): string | undefined;
}

/** ECDSA over raw `r ‖ s` (RFC 7518 §3.4), each `width` bytes. */
function ecdsa(hash: string, curve: string, width: number): Primitive {
  return {
    sign: (key, data) => sign(hash, data, { key, dsaEncoding: 'ieee-p1363' }),
    verify(key, data, signature) {
      if (signature.length !== 2 * width) return false;
      // OpenSSL refuses these too; explicit because a verifier that forgot it accepted anything
      // (CVE-2022-21449).
      if (isZero(signature.subarray(0, width)) || isZero(signature.subarray(width))) return false;
      return verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, signature);
    },
    fault: (key) =>
      key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === curve
        ? undefined
        : `not a key on ${curve}`,
  };
}

const RSA_PSS = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
};
const RSA_PKCS1 = { padding: constants.RSA_PKCS1_PADDING };

function rsa(options: { padding: number; saltLength?: number }): Primitive {
  return {
    sign: (key, data) => sign('sha256', data, { key, ...options }),
    verify: (key, data, signature) => verify('sha256', data, { key, ...options }, signature),
    fault: (key) => (key.asymmetricKeyType === 'rsa' ? undefined : 'not an RSA key'),
  };
}

const PRIMITIVES: Readonly<Record<JwsAlgorithm, Primitive>> = {
  ES256: ecdsa('sha256', 'prime256v1', 32),
  ES384: ecdsa('sha384', 'secp384r1', 48),
  ES512: ecdsa('sha512', 'secp521r1', 66),
  EdDSA: {
    sign: (key, data) => sign(null, data, key),
    verify: (key, data, signature) => signature.length === 64 && verify(null, data, key, signature),
    fault: (key) => (key.asymmetricKeyType === 'ed25519' ? undefined : 'not an Ed25519 key'),
  },
  RS256: rsa(RSA_PKCS1),
  PS256: rsa(RSA_PSS),
  HS256: {
    sign: (key, data) => createHmac('sha256', key).update(data).digest(),
    verify(key, data, signature) {
      const expected = createHmac('sha256', key).update(data).digest();
      return signature.length === expected.length && timingSafeEqual(signature, expected);
    },
    fault: (key) => (key.type === 'secret' ? undefined : 'not a secret key'),
  },
};

/**
 * Signs bytes.
 *
 * @throws Error if the key does not fit the algorithm
 */
export function signBytes(alg: JwsAlgorithm, key: KeyObject, data: Buffer): Buffer {
  return PRIMITIVES[alg].sign(key, data);
}

/** Whether a signature is valid. A library error counts as invalid and is never thrown. */
export function verifyBytes(
  alg: JwsAlgorithm,
  key: KeyObject,
  data: Buffer,
  signature: Buffer,
): boolean {
  try {
    // Checked here too: otherwise a public key could serve as an HMAC secret (J02).
    return PRIMITIVES[alg].fault(key) === undefined && PRIMITIVES[alg].verify(key, data, signature);
  } catch {
    return false;
  }
}

/**
 * Why a key must not sign our tokens: its kind, its curve, or a strength below D1. Undefined if it
 * may.
 */
export function keyFault(alg: JwsAlgorithm, key: KeyObject): string | undefined {
  const fault = PRIMITIVES[alg].fault(key);
  if (fault !== undefined) return fault;
  if (key.type === 'secret') {
    return (key.symmetricKeySize ?? 0) >= MIN_SECRET_BYTES
      ? undefined
      : `a secret of fewer than ${8 * MIN_SECRET_BYTES} bits`;
  }
  const bits = key.asymmetricKeyDetails?.modulusLength;
  return bits !== undefined && bits < MIN_RSA_BITS
    ? `an RSA key of fewer than ${MIN_RSA_BITS} bits`
    : undefined;
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}
