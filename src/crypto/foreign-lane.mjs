/**
 * Comparing with hashes of other systems, synchronously, for the hash lanes. What is compared was
 * read and bounded by foreign-hash.ts.
 */
import {
  createCipheriv,
  createHash,
  createHmac,
  pbkdf2Sync,
  scryptSync,
  timingSafeEqual,
} from 'node:crypto';
import { hashRawSync } from '@node-rs/argon2';
import { compareSync } from 'bcryptjs';

/** @typedef {import('./foreign-hash.ts').SlowHash} SlowHash */
/** @typedef {import('./wrapped-hash.ts').InnerDigest} InnerDigest */
/** @typedef {Extract<SlowHash, { kind: 'scrypt' }>} Scrypt */

/** `Algorithm.Argon2i` of the library, a const enum that does not exist at run time. */
const ARGON2I = 1;
/** Of Node's own check; foreign-hash.ts bounds it further. */
const SCRYPT_MAXMEM = 256 * 1_048_576;
/** Firebase derives the key of AES-256. */
const FIREBASE_KEY_BYTES = 32;

/**
 * @param {Uint8Array} made
 * @param {Uint8Array} expected
 */
const same = (made, expected) => made.length === expected.length && timingSafeEqual(made, expected);

/**
 * @param {Scrypt} hash
 * @param {string} password
 * @param {number} length
 */
function scrypt({ cost, block, parallel, salt }, password, length) {
  const options = { N: cost, r: block, p: parallel, maxmem: SCRYPT_MAXMEM };
  return scryptSync(password, salt, length, options);
}

/**
 * @param {Scrypt} hash
 * @param {string} password
 */
function scryptOf(hash, password) {
  if (hash.signerKey === null) return scrypt(hash, password, hash.expected.length);
  const key = scrypt(hash, password, FIREBASE_KEY_BYTES);
  const cipher = createCipheriv('aes-256-ctr', key, new Uint8Array(16));
  return Buffer.concat([cipher.update(hash.signerKey), cipher.final()]);
}

/**
 * @param {SlowHash} hash
 * @param {string} password
 * @returns {boolean}
 */
export function matchesForeign(hash, password) {
  switch (hash.kind) {
    case 'bcrypt':
      // bcrypt reads 72 bytes, and ends at a NUL, which no password here contains.
      return compareSync(password, hash.hash);
    case 'argon2i':
      return same(
        hashRawSync(password, {
          algorithm: ARGON2I,
          memoryCost: hash.memoryKiB,
          timeCost: hash.passes,
          parallelism: hash.lanes,
          outputLen: hash.expected.length,
          salt: hash.salt,
        }),
        hash.expected,
      );
    case 'pbkdf2':
      return same(
        pbkdf2Sync(password, hash.salt, hash.iterations, hash.expected.length, hash.digest),
        hash.expected,
      );
    case 'scrypt':
      return same(scryptOf(hash, password), hash.expected);
  }
}

/**
 * The hexadecimal digits of a fast hash, which argon2 is given instead of the password.
 *
 * @param {InnerDigest} inner
 * @param {string} password
 * @returns {string}
 */
export function innerDigits(inner, password) {
  switch (inner.kind) {
    case 'digest':
      return createHash(inner.digest)
        .update(inner.before)
        .update(password)
        .update(inner.after)
        .digest('hex');
    case 'hmac':
      return createHmac(inner.digest, inner.key).update(password).digest('hex');
    case 'pbkdf2':
      return pbkdf2Sync(
        password,
        inner.salt,
        inner.iterations,
        inner.length,
        inner.digest,
      ).toString('hex');
  }
}
