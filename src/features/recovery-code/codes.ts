/**
 * Recovery codes: a set of ten, each usable once instead of a lost second factor. A code has
 * sixteen letters and digits; the first selects the row, so that a guess costs one hash and not
 * ten, and the other fifteen are 75 random bits, stored as a password hash (ASVS 6.5.2, NIST SP
 * 800-63B-4 §4.2.1).
 */
import type { Random } from '../../lib/id.ts';

const RECOVERY_CODES = 10;

/** Crockford's base 32: no i, l, o, u, so that handwriting is not misread. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 16;
const FORM = new RegExp(`^[${ALPHABET}]{${LENGTH}}$`);

/** 256 is a multiple of 32, so the five low bits are uniformly distributed. */
function characters(random: Random, count: number): string {
  return [...random.bytes(count)].map((byte) => ALPHABET.charAt(byte & 31)).join('');
}

export interface RecoveryCode {
  /** The first character, which selects the row. */
  readonly selector: string;
  /** The rest, which is hashed. */
  readonly secret: string;
}

/**
 * A typed code in the form that was hashed; null when it can't be a code. Case, spaces and hyphens
 * are ignored.
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

/** A code as it is displayed: in groups of four. */
export function formatRecoveryCode({ selector, secret }: RecoveryCode): string {
  return `${selector}${secret}`.replace(/(.{4})(?=.)/g, '$1-');
}
