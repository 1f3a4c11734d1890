/** Codes that users type: how they are drawn, and how a typed one is compared. */
import type { Random } from '../../lib/id.ts';

export interface CodeForm {
  /** At most ten. */
  readonly length: number;
  readonly alphabet: 'digits' | 'letters';
}

const SIX_DIGITS: CodeForm = { length: 6, alphabet: 'digits' };

/** Crockford's base 32: no I, L, O, U, so that handwriting is not misread. */
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

const DRAW_BYTES = 6;
const DRAWS = 2 ** (8 * DRAW_BYTES);

/** A code to type, uniformly distributed (O07). */
export function newCode(random: Random, { length, alphabet }: CodeForm = SIX_DIGITS): string {
  // 256 is a multiple of 32, so the five low bits are uniform.
  if (alphabet === 'letters')
    return [...random.bytes(length)].map((byte) => LETTERS.charAt(byte & 31)).join('');
  const codes = 10 ** length;
  // The number of draws is no multiple of it: reject values beyond the last whole multiple.
  const limit = DRAWS - (DRAWS % codes);
  for (;;) {
    const draw = random.bytes(DRAW_BYTES).readUIntBE(0, DRAW_BYTES);
    if (draw < limit) return String(draw % codes).padStart(length, '0');
  }
}

/** A typed code as it was drawn: spaces and hyphens do not count, nor the case of letters. */
export function typedCode(text: string, { alphabet }: CodeForm): string {
  const plain = text.replace(/[\s-]/g, '');
  if (alphabet === 'digits') return plain;
  return plain.toUpperCase().replaceAll('O', '0').replaceAll(/[IL]/g, '1');
}
