/**
 * Finds simple variations of common passwords: `password1234567`, `Summer2026Summer2026`,
 * `Passw0rdPassw0rd`. The whole password is looked up again (N3 forbids a substring rule) after
 * undoing what guessing programs do first: repetition, digits and punctuation at the ends,
 * look-alikes. Each step is linear, and the number of variations is bounded.
 */
import type { CommonPasswords } from './common-passwords.ts';
import { shortestPeriod } from './repetition.ts';

/**
 * More filler than this counts as secret. A character that repeats or continues the previous one
 * (`111`, `123`) does not count.
 */
const MAX_FILLER = 8;
/** The length of the longest password in the list. */
const MAX_COMMON = 64;
/** The list contains short pieces repeated to the length of a password: `abcabc`, `aaaaaa`. */
const SHORT_PIECE = 6;

const LETTER = /\p{L}/u;
const LOOK_ALIKE = /[0134578@$!|+]/g;
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  '0': 'o',
  '3': 'e',
  '4': 'a',
  '@': 'a',
  '5': 's',
  $: 's',
  '7': 't',
  '+': 't',
  '8': 'b',
};
/**
 * Letters that `1`, `!` and `
 * ` may replace.
 */
const STROKES = ['i', 'l'] as const;

/** Whether this password, which is not in the list itself, is a variation of one that is. */
export function hidesCommon(text: string, common: CommonPasswords): boolean {
  const whole = text.toLowerCase();
  if (isOneRun(whole)) return true;
  const plain = [whole, withoutEnds(whole)]
    .flatMap(once)
    .flatMap((form) => [form, withoutEnds(form)]);
  const forms = plain.flatMap((form) => [form, ...unmasked(form).flatMap(once)]);
  return [...new Set(forms)].some((form) => form.length <= MAX_COMMON && common.has(form));
}

/** One character or one sequence, repeated (`aaaa`, `abcabc`, `54321`): checked first. */
function isOneRun(text: string): boolean {
  const period = shortestPeriod(text);
  return period < text.length && weightOf([...text.slice(0, period)]) === 1;
}

/** A text, and if it repeats a piece, that piece: once and twice, as in the list. */
function once(text: string): readonly string[] {
  const period = shortestPeriod(text);
  if (period === 0 || period === text.length) return [text];
  const piece = text.slice(0, period);
  const enough = piece.repeat(Math.ceil(SHORT_PIECE / period));
  return [text, piece, piece + piece, enough];
}

/** The text with digits and signs replaced by the letters that they resemble. */
function unmasked(text: string): readonly string[] {
  if (!LETTER.test(text)) return [];
  return STROKES.map((stroke) => text.replace(LOOK_ALIKE, (char) => LOOK_ALIKES[char] ?? stroke));
}

/** The text from its first letter to its last; unchanged if too much would be removed. */
function withoutEnds(text: string): string {
  const chars = [...text];
  const isLetter = (char: string): boolean => LETTER.test(char);
  const start = chars.findIndex(isLetter);
  if (start < 0) return text;
  const end = chars.findLastIndex(isLetter) + 1;
  const filler = weightOf(chars.slice(0, start)) + weightOf(chars.slice(end));
  return filler > MAX_FILLER ? text : chars.slice(start, end).join('');
}

function weightOf(chars: readonly string[]): number {
  return chars.filter((char, at) => {
    const before = chars[at - 1]?.codePointAt(0);
    return before === undefined || Math.abs((char.codePointAt(0) ?? 0) - before) > 1;
  }).length;
}
