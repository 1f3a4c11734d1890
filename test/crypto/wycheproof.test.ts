/**
 * Project Wycheproof's vectors (test/vectors/README.md).
 *
 * The JWS vectors' headers have no `typ`, some no `kid`, and their keys are test-sized, so
 * `verifyJws` must refuse each of them. That alone would prove little, so a second test reads them
 * with the parts that `verifyJws` is made of: the strict form (splitCompact), a header of `alg` and
 * `kid` alone, an `alg` equal to the key's, then the primitive.
 */
import { createPublicKey, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isJsonObject, parseJson } from '../../src/lib/json.ts';
import { JwsError, splitCompact, verifyJws } from '../../src/crypto/jws.ts';
import type { JwsAlgorithm } from '../../src/crypto/jws.ts';
import { verifyBytes } from '../../src/crypto/jws-signature.ts';
import { readVectors } from '../vectors/read.ts';

interface Signatures {
  /** SPKI, base64, as are the messages and signatures. */
  readonly key: string;
  readonly cases: readonly (readonly [
    number: number,
    comment: string,
    message: string,
    signature: string,
    isValid: boolean,
  ])[];
}

interface Tokens {
  readonly alg: JwsAlgorithm | null;
  readonly kid: string | null;
  readonly forEncryption: boolean;
  readonly jwk: Readonly<Record<string, string>>;
  readonly cases: readonly (readonly [
    number: number,
    comment: string,
    token: string,
    isValid: boolean,
  ])[];
}

const bytes = (base64: string): Buffer => Buffer.from(base64, 'base64');
const tokens = readVectors('jws') as readonly Tokens[];

describe('Wycheproof', () => {
  test.each([
    ['ecdsa-p256', 'ES256', 262],
    ['ed25519', 'EdDSA', 151],
  ] as const)('J06, ASVS 11.6.1: %s agrees in every case', (file, alg, count) => {
    let seen = 0;
    for (const group of readVectors(file) as readonly Signatures[]) {
      const key = createPublicKey({ key: bytes(group.key), format: 'der', type: 'spki' });
      for (const [number, comment, message, signature, isValid] of group.cases) {
        seen += 1;
        expect(
          verifyBytes(alg, key, bytes(message), bytes(signature)),
          `${number} ${comment}`,
        ).toBe(isValid);
      }
    }
    expect(seen).toBe(count);
  });

  test('R1–R4: no JWS vector is accepted as an access token', () => {
    for (const { cases } of tokens)
      for (const [, , token] of cases) expect(isRefused(token)).toBe(true);
  });

  test('R2: JWS vectors agree in every case for our algorithms, read without typ', () => {
    const outcome = { agreed: 0, stricter: [] as string[], mislabelled: [] as number[] };
    for (const { alg, kid, forEncryption, jwk, cases } of tokens) {
      // Whether a key is for signing at all (`use`) is settled when keys are made, not here.
      if (alg === null || forEncryption) continue;
      const key = keyOf(jwk);
      const valid = new Set(cases.filter(([, , , isValid]) => isValid).map(([, , token]) => token));
      for (const [number, comment, token, isValid] of cases) {
        const verified = verifies(token, alg, kid ?? '', key);
        if (!isValid && valid.has(token)) outcome.mislabelled.push(number);
        else if (isValid && !verified) outcome.stricter.push(`${alg} ${comment}`);
        else {
          outcome.agreed += 1;
          expect(verified, `${number} ${comment}`).toBe(isValid);
        }
      }
    }
    expect(outcome.agreed).toBeGreaterThan(330);
    // Two cases that the file calls invalid equal its valid case 357 character by character: their
    // padding was lost upstream.
    expect(outcome.mislabelled).toEqual([367, 370]);
    // Where we are stricter on purpose: an empty payload holds no claims, RFC 7520's PS384 token
    // comes with a key for PS256, and a character outside the alphabet is not skipped.
    expect(outcome.stricter).toEqual([
      'RS256 emptyPayload',
      'PS256 emptyPayload',
      'PS256 Figure20',
      'PS256 Figure20',
      'HS256 InvalidCharacterInsertedInHeader',
      'HS256 InvalidCharacterInsertedInPayload',
    ]);
  });

  test('R1, J10: every JWE vector is refused before a key is looked up', () => {
    const encrypted = readVectors('jwe');
    for (const token of encrypted) expect(isRefused(token)).toBe(true);
    expect(encrypted).toHaveLength(139);
  });
});

/** Whether verifyJws refuses a vector, with a JwsError and without looking for a key. */
function isRefused(token: unknown): boolean {
  try {
    verifyJws(typeof token === 'string' ? token : JSON.stringify(token), 'at+jwt', () => {
      throw new Error('a key was asked for');
    });
  } catch (error) {
    if (error instanceof JwsError) return true;
    throw error;
  }
  return false;
}

function keyOf(jwk: Readonly<Record<string, string>>): KeyObject {
  if (jwk['kty'] === 'oct') return createSecretKey(Buffer.from(jwk['k'] ?? '', 'base64url'));
  return createPublicKey({ key: jwk, format: 'jwk' });
}

function verifies(token: string, alg: JwsAlgorithm, kid: string, key: KeyObject): boolean {
  try {
    const { header, input, signature } = splitCompact(token);
    const members = parseJson(Buffer.from(header, 'base64url').toString('utf8'), { maxDepth: 1 });
    if (!isJsonObject(members)) return false;
    const isPlain = Object.keys(members).every((name) => name === 'alg' || name === 'kid');
    const isKey = members['kid'] === undefined || members['kid'] === kid;
    return isPlain && isKey && members['alg'] === alg && verifyBytes(alg, key, input, signature);
  } catch {
    return false;
  }
}
