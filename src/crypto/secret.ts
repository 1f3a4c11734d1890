/**
 * Random values, how they are kept, and how they are compared. Everything that must not be guessed
 * comes from here (ASVS 11.5.1), is stored as a digest, and is compared in a time that does not
 * depend on where two texts differ.
 */
import { createHash, randomBytes, randomFillSync, timingSafeEqual } from 'node:crypto';
import type { Random } from '../lib/id.ts';

const POOL_BYTES = 4096;
/**
 * Draws above this go to the system directly: they would empty the pool, and the call no longer
 * matters.
 */
const POOLED_BYTES = 64;

let pool = Buffer.alloc(0);
let used = 0;

/**
 * The operating system's CSPRNG. Small draws are cut from a pool, since a call costs about as much
 * as 1 KiB; no byte is given out twice, and a buffer that is handed over belongs to the caller.
 */
export const systemRandom: Random = {
  bytes(length: number): Buffer {
    if (length > POOLED_BYTES) return randomBytes(length);
    if (used + length > pool.length) {
      pool = randomFillSync(Buffer.allocUnsafeSlow(POOL_BYTES));
      used = 0;
    }
    // A copy, so that nobody holds a view whose `.buffer` shows his neighbours' secrets, and none
    // stay here.
    const slot = pool.subarray(used, used + length);
    const drawn = Buffer.alloc(length);
    slot.copy(drawn);
    slot.fill(0);
    used += length;
    return drawn;
  },
};

/**
 * An unguessable text in base64url.
 *
 * @param bytes how many random bytes; at least 16 (128 bits)
 */
export function randomToken(random: Random, bytes = 32): string {
  if (bytes < 16) throw new RangeError('a token needs at least 16 random bytes');
  return random.bytes(bytes).toString('base64url');
}

/**
 * SHA-256 in base64url: how a secret of at least 128 random bits is stored and looked up. Anything
 * that a person chose or types needs a password hash instead (ASVS 6.5.2).
 */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret, 'utf8').digest('base64url');
}

/**
 * Whether two texts are equal, in a time that tells nothing about either. Digests are compared,
 * because `timingSafeEqual` throws on unequal lengths (T10) and would so tell the length.
 */
export function constantTimeEqual(a: string, b: string): boolean {
  const left = createHash('sha256').update(a, 'utf16le').digest();
  const right = createHash('sha256').update(b, 'utf16le').digest();
  return timingSafeEqual(left, right);
}
