/**
 * A hint for a strength meter, 0 to 4. It refuses nothing (the policy does) and promises nothing: a
 * guesser with the right dictionary is better. Linear in the input, for it runs where requests are
 * served; zxcvbn does not (it takes seconds for a hostile text). It agrees with the policy: what is
 * taken scores at least 1, what is refused at most 1.
 *
 * How it is made. A common password, or one made of context words, is 0. Otherwise bits are added
 * up, a character at a time: ½ if it repeats the one before it or goes one step on (`aaa`, `321`),
 * 2½ for a letter that goes on with a word (same case as the letter before it), 3 for a digit after
 * a digit, 5 for everything else (a beginning, a change of kind). A text that is one piece said
 * again and again counts that piece and the logarithm of how often. Then 0 below 20 bits, 1 below
 * 32, 2 below 48, 3 below 64, 4 from there. Four common words make about 60, fifteen lower-case
 * letters 40.
 */
import type { PasswordContext, PasswordPolicy } from './policy.ts';
import { passwordFaults } from './policy.ts';
import { shortestPeriod } from './repetition.ts';

export type PasswordScore = 0 | 1 | 2 | 3 | 4;

const MAX_UNITS = 256;

type Kind = 'lower' | 'upper' | 'digit' | 'other';

/** Scores a password as the module header says; only its first 256 UTF-16 units are looked at. */
export function passwordScore(
  policy: PasswordPolicy,
  password: string,
  context: PasswordContext,
): PasswordScore {
  const text = password.slice(0, MAX_UNITS).normalize('NFC');
  const faults = passwordFaults(policy, text.toWellFormed(), context);
  if (faults.some(({ code }) => code !== 'too_short' && code !== 'too_long')) return 0;
  const period = shortestPeriod(text);
  const bits = period === 0 ? 0 : bitsOf(text.slice(0, period)) + Math.log2(text.length / period);
  const score = scoreOf(bits);
  if (faults.length > 0) return score === 0 ? 0 : 1;
  return score === 0 ? 1 : score;
}

function scoreOf(bits: number): PasswordScore {
  if (bits < 20) return 0;
  if (bits < 32) return 1;
  if (bits < 48) return 2;
  return bits < 64 ? 3 : 4;
}

function bitsOf(text: string): number {
  let bits = 0;
  let before: Kind | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const kind = kindOf(text[at] ?? '');
    if (at > 0 && Math.abs(text.charCodeAt(at) - text.charCodeAt(at - 1)) <= 1) bits += 0.5;
    else if (kind !== before || kind === 'other') bits += 5;
    else bits += kind === 'digit' ? 3 : 2.5;
    before = kind;
  }
  return bits;
}

function kindOf(char: string): Kind {
  if (char >= '0' && char <= '9') return 'digit';
  const lower = char.toLowerCase();
  if (lower === char.toUpperCase()) return 'other';
  return lower === char ? 'lower' : 'upper';
}
