/**
 * The private half of a signing key: sealed in its row, bound to its id, and opened once per
 * process.
 */
import type { JwsAlgorithm, JwsKey } from '../../crypto/jws.ts';
import type { Sealer } from '../../crypto/seal.ts';
import { openSigningKey, publicPem } from '../../crypto/signing-keys.ts';
import type { KeyMaterial, PublicJwk } from '../../crypto/signing-keys.ts';
import type { KeyInfo, KeyPurpose } from './key-ring.ts';
import type { SigningKeyRow } from './store.ts';

/** The key-encryption key is not the one with which the database's keys were sealed. */
export class KeysRefused extends Error {
  override readonly name = 'KeysRefused';
}

/** An opened key, with its state. */
export interface RingKey extends KeyInfo {
  readonly generation: number;
  readonly publicJwk: PublicJwk | null;
  readonly pem: string | null;
  readonly key: JwsKey;
  /** The bytes of an HS256 key. */
  readonly secret: Uint8Array | null;
}

export interface SealedKeys {
  seal(material: KeyMaterial): string;
  /**
   * Opens the key of a row. Its state is not computed yet: `next`, or `withdrawn`.
   *
   * @throws {KeysRefused} it was sealed with another key, or has an unknown algorithm
   */
  open(row: SigningKeyRow): RingKey;
}

/** @param types the `typ` of the tokens that keys of each purpose may be used for */
export function createSealedKeys(
  sealer: Sealer,
  types: Readonly<Record<KeyPurpose, readonly string[]>>,
): SealedKeys {
  const opened = new Map<string, Pick<RingKey, 'key' | 'secret' | 'pem'>>();

  const unseal = ({ kid, privateSealed }: SigningKeyRow): Uint8Array => {
    try {
      return sealer.open(sealPurpose(kid), privateSealed);
    } catch (cause) {
      throw new KeysRefused(
        'the signing keys in the database were sealed with another key. Is secrets.key_encryption_key the one that the database was created with? Nothing was changed.',
        { cause },
      );
    }
  };

  const openHalf = (row: SigningKeyRow, publicJwk: PublicJwk | null) => {
    const known = opened.get(row.kid);
    if (known !== undefined) return known;
    const algorithm = algorithmOf(row.algorithm);
    const privateBytes = unseal(row);
    const key = openSigningKey(
      { kid: row.kid, algorithm, publicJwk, privateBytes },
      types[row.purpose],
    );
    const secret = algorithm === 'HS256' ? privateBytes : null;
    const half = { key, secret, pem: publicPem(key) };
    opened.set(row.kid, half);
    return half;
  };

  return {
    seal: ({ kid, privateBytes }) => sealer.seal(sealPurpose(kid), privateBytes),
    open: (row) => {
      const { kid, purpose, algorithm, generation, createdAt, activatesAt, withdrawnAt } = row;
      const publicJwk = isPublicJwk(row.publicJwk) ? row.publicJwk : null;
      return {
        ...{ kid, purpose, algorithm, generation, createdAt, activatesAt, publicJwk },
        ...openHalf(row, publicJwk),
        retiresAt: null,
        state: withdrawnAt === null ? 'next' : 'withdrawn',
      };
    },
  };
}

export const sealPurpose = (kid: string): string => `signing_key.private_sealed:${kid}`;

const ALGORITHMS: readonly JwsAlgorithm[] = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'RS256',
  'PS256',
  'HS256',
];

function algorithmOf(text: string): JwsAlgorithm {
  const found = ALGORITHMS.find((algorithm) => algorithm === text);
  if (found === undefined)
    throw new KeysRefused(
      'a signing key in the database has an algorithm that this version does not know. Nothing was changed.',
    );
  return found;
}

function isPublicJwk(value: unknown): value is PublicJwk {
  return typeof value === 'object' && value !== null && 'kid' in value && 'kty' in value;
}
