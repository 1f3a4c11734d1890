/**
 * A hint for a strength meter, 0 to 4. It refuses nothing (the policy does) and promises nothing:
 * an attacker with the right dictionary is faster. Linear, because it runs where requests are
 * served; zxcvbn takes seconds for a hostile text. It agrees with the policy: an accepted password
 * scores at least 1, a refused one at most 1.
 *
 * A common password, or one made of context words, scores 0. Otherwise each character adds bits: ½
 * if it repeats or continues the previous one (`aaa`, `321`), 2½ for a letter that continues a word
 * (same case as the letter before it), 3 for a digit after a digit, 5 for everything else (a
 * beginning, a change of kind). A text that repeats one piece counts that piece and the logarithm
 * of the number of repetitions. The score is 0 below 20 bits, 1 below 32, 2 below 48, 3 below 64,
 * else 4. Four common words have about 60 bits, fifteen lower-case letters 40.
 */
import type { PasswordContext, PasswordPolicy } from './policy.ts';
import { passwordFaults } from './policy.ts';
import { shortestPeriod } from './repetition.ts';

export type PasswordScore = 0 | 1 | 2 | 3 | 4;

const MAX_UNITS = 256;

type Kind = 'lower' | 'upper' | 'digit' | 'other';

/** Scores a password as described above; only its first 256 UTF-16 units are read. */
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
