/**
 * Creates signing keys and their public forms. jose generates them (at rotation, never during a
 * request); `jws.ts` signs with them.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7517
 * @see https://www.rfc-editor.org/rfc/rfc7638 for the key ids
 */
import { createHmac, createPrivateKey, createPublicKey, createSecretKey } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import type { JWK } from 'jose';
import type { Random } from '../lib/id.ts';
import type { JwsAlgorithm, JwsKey } from './jws.ts';

export type AsymmetricAlgorithm = Exclude<JwsAlgorithm, 'HS256'>;

/** RSA modulus in bits: the minimum for 128 bits of strength (ASVS 11.2.3). */
const RSA_MODULUS_BITS = 3072;

/**
 * A key as it is stored: the public half in the clear, the private half (PKCS #8 DER, or the bare
 * secret) to be sealed.
 */
export interface KeyMaterial {
  readonly kid: string;
  readonly algorithm: JwsAlgorithm;
  readonly publicJwk: PublicJwk | null;
  readonly privateBytes: Uint8Array;
}

/** A public key as the JWKS shows it; never with a private member. */
export type PublicJwk = {
  readonly kty: string;
  readonly kid: string;
  readonly alg: string;
  readonly use: 'sig';
} & Readonly<Record<string, string>>;

const PUBLIC_MEMBERS = ['crv', 'x', 'y', 'n', 'e'] as const;

/** Generates a key pair. Its id is the RFC 7638 thumbprint. */
export async function generateSigningKey(algorithm: AsymmetricAlgorithm): Promise<KeyMaterial> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, {
    extractable: true,
    modulusLength: RSA_MODULUS_BITS,
  });
  const jwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(jwk);
  const privateJwk = await exportJWK(privateKey);
  const privateBytes = createPrivateKey({ key: { ...privateJwk }, format: 'jwk' }).export({
    type: 'pkcs8',
    format: 'der',
  });
  return { kid, algorithm, publicJwk: publicForm(jwk, kid, algorithm), privateBytes };
}

/** Generates a 256-bit secret for tokens that only this service reads. */
export function generateInternalKey(random: Random): KeyMaterial {
  return {
    kid: random.bytes(12).toString('base64url'),
    algorithm: 'HS256',
    publicJwk: null,
    privateBytes: random.bytes(32),
  };
}

/** Copies only known public members, so that no private one can slip through. */
function publicForm(jwk: JWK, kid: string, algorithm: AsymmetricAlgorithm): PublicJwk {
  const members: Record<string, string> = {};
  for (const name of PUBLIC_MEMBERS) {
    const value = jwk[name];
    if (typeof value === 'string') members[name] = value;
  }
  return { kty: jwk.kty ?? '', kid, alg: algorithm, use: 'sig', ...members };
}

/** Makes a key ready to sign and verify the given kinds of token. */
export function openSigningKey(material: KeyMaterial, typ: readonly string[]): JwsKey {
  const { kid, algorithm, privateBytes } = material;
  if (algorithm === 'HS256') {
    const secret = createSecretKey(privateBytes);
    return { kid, alg: algorithm, typ, signKey: secret, verifyKey: secret };
  }
  const signKey = createPrivateKey({
    key: Buffer.from(privateBytes),
    format: 'der',
    type: 'pkcs8',
  });
  return { kid, alg: algorithm, typ, signKey, verifyKey: createPublicKey(signKey) };
}

/**
 * The access-token key of a deployment that shares a secret with its siblings (HS256). Its id
 * reveals nothing of the secret.
 */
export function sharedSecretKey(secret: string, typ: readonly string[]): JwsKey {
  const bytes = Buffer.from(secret, 'utf8');
  const kid = createHmac('sha256', bytes)
    .update('postern shared secret id')
    .digest('base64url')
    .slice(0, 16);
  const key = createSecretKey(bytes);
  return { kid, alg: 'HS256', typ, signKey: key, verifyKey: key };
}

/** SubjectPublicKeyInfo as PEM, for verifiers that read no JWKS (RFC 7468 §13). */
export function publicPem(key: JwsKey): string | null {
  if (key.verifyKey.type !== 'public') return null;
  return key.verifyKey.export({ type: 'spki', format: 'pem' }).toString();
}
