/**
 * Recovery codes: a set of ten, each good once in the place of a second factor that is lost. A code
 * is sixteen letters and digits; the first picks the row, so that a guess costs one hash and not
 * ten, and the other fifteen are 75 random bits, stored as a password hash (ASVS 6.5.2, NIST SP
 * 800-63B-4 §4.2.1).
 */
import type { Random } from '../../lib/id.ts';

const RECOVERY_CODES = 10;

/** Crockford's base 32: no i, l, o, u, so that nothing is mistaken in handwriting. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 16;
const FORM = new RegExp(`^[${ALPHABET}]{${LENGTH}}$`);

/** 256 is a multiple of 32: each of the five low bits is as likely. */
function characters(random: Random, count: number): string {
  return [...random.bytes(count)].map((byte) => ALPHABET.charAt(byte & 31)).join('');
}

export interface RecoveryCode {
  /** The first character: which row. */
  readonly selector: string;
  /** The rest: what was hashed. */
  readonly secret: string;
}

/**
 * What somebody typed, as the hash was made of it; null when it can't be a code. Case, spaces and
 * hyphens don't count.
 */
export function parseRecoveryCode(text: string): RecoveryCode | null {
  if (text.length > 64) return null;
  const plain = text
    .replace(/[\s-]/g, '')
    .toLowerCase()
    .replaceAll('o', '0')
    .replaceAll(/[il]/g, '1');
  return FORM.test(plain) ? { selector: plain.charAt(0), secret: plain.slice(1) } : null;
}

/** Ten codes, no two with the same selector. */
export function newRecoveryCodes(random: Random): RecoveryCode[] {
  const selectors = new Set<string>();
  while (selectors.size < RECOVERY_CODES) selectors.add(characters(random, 1));
  return [...selectors].map((selector) => ({ selector, secret: characters(random, LENGTH - 1) }));
}

/** A code as it is shown: in groups of four. */
export function formatRecoveryCode({ selector, secret }: RecoveryCode): string {
  return `${selector}${secret}`.replace(/(.{4})(?=.)/g, '$1-');
}
