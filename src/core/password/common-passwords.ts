/**
 * The list of common passwords (ASVS 6.2.4, N3): sorted 8-byte prefixes of SHA-256, made by
 * scripts/build-common-passwords.mjs and read by the process edge. A password is compared as a
 * whole, after NFC, case-insensitively; the probability that an unlisted password matches a prefix
 * is 10^-14.
 */
import { createHash } from 'node:crypto';

export interface CommonPasswords {
  has(password: string): boolean;
}

const PREFIX_BYTES = 8;

/**
 * Prepares look-ups in the list's bytes, without copying them.
 *
 * @throws RangeError if the bytes are not a valid list
 */
export function commonPasswords(bytes: Uint8Array): CommonPasswords {
  if (bytes.length === 0 || bytes.length % PREFIX_BYTES !== 0)
    throw new RangeError('the list of common passwords is damaged');
  const list = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    has(password) {
      const prefix = createHash('sha256')
        .update(commonForm(password), 'utf8')
        .digest()
        .subarray(0, PREFIX_BYTES);
      let low = 0;
      let high = list.length / PREFIX_BYTES - 1;
      while (low <= high) {
        const middle = (low + high) >>> 1;
        const order = list.compare(
          prefix,
          0,
          PREFIX_BYTES,
          middle * PREFIX_BYTES,
          (middle + 1) * PREFIX_BYTES,
        );
        if (order === 0) return true;
        if (order < 0) low = middle + 1;
        else high = middle - 1;
      }
      return false;
    },
  };
}

/** The form in which passwords are compared; the script uses the same. */
function commonForm(password: string): string {
  return password.normalize('NFC').toLowerCase();
}
