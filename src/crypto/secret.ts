/**
 * Random values: how they are made, stored and compared. Every unguessable value comes from here
 * (ASVS 11.5.1), is stored as a digest, and is compared in constant time.
 */
import { createHash, hash, randomBytes, randomFillSync, timingSafeEqual } from 'node:crypto';
import type { Random } from '../lib/id.ts';

const POOL_BYTES = 4096;
/** Larger requests bypass the pool: they would empty it. */
const POOLED_BYTES = 64;

/**
 * The operating system's CSPRNG. Small values are cut from a pool, since one call costs about as
 * much as 1 KiB. No byte is used twice; the returned buffer belongs to the caller.
 */
export function createSystemRandom(): Random {
  let pool = Buffer.alloc(0);
  let used = 0;
  return {
    bytes(length: number): Buffer {
      if (length > POOLED_BYTES) return randomBytes(length);
      if (used + length > pool.length) {
        pool = randomFillSync(Buffer.allocUnsafeSlow(POOL_BYTES));
        used = 0;
      }
      // A copy: the `.buffer` of a view would expose other callers' secrets. The pool's bytes are
      // erased.
      const slot = pool.subarray(used, used + length);
      const drawn = Buffer.alloc(length);
      slot.copy(drawn);
      slot.fill(0);
      used += length;
      return drawn;
    },
  };
}

/**
 * An unguessable string in base64url.
 *
 * @param bytes number of random bytes, at least 16 (128 bits)
 */
export function randomToken(random: Random, bytes = 32): string {
  if (bytes < 16) throw new RangeError('a token needs at least 16 random bytes');
  return random.bytes(bytes).toString('base64url');
}

/**
 * SHA-256 in base64url: how a secret of at least 128 random bits is stored and looked up. A secret
 * that people choose or type needs a password hash instead (ASVS 6.5.2).
 */
export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'base64url');
}

/**
 * Compares two strings in constant time. Of unequal lengths it compares digests, because
 * `timingSafeEqual` throws on them (T10).
 */
export function constantTimeEqual(a: string, b: string): boolean {
  if (a.length === b.length)
    return timingSafeEqual(Buffer.from(a, 'utf16le'), Buffer.from(b, 'utf16le'));
  const left = createHash('sha256').update(a, 'utf16le').digest();
  const right = createHash('sha256').update(b, 'utf16le').digest();
  return timingSafeEqual(left, right);
}
