/**
 * What a password must be: long enough, not one that everybody tries, not one made of the account's
 * own names. No composition rules, no expiry (N1, ASVS 6.2.5, 6.2.10). Pure: the list of common
 * passwords is handed in.
 *
 * @see https://pages.nist.gov/800-63-4/sp800-63b.html#passwordver
 */
import { codePointCount, hasControlCharacters, isWellFormed } from '../../lib/text.ts';
import type { CommonPasswords } from './common-passwords.ts';
import { MIN_REMAINDER, withoutContextWords } from './context-words.ts';
import type { PasswordContext } from './context-words.ts';
import { hidesCommon } from './hidden-common.ts';

export type { PasswordContext } from './context-words.ts';

/** Most code points of a password, after NFC (D5). */
const MAX_PASSWORD_CODE_POINTS = 128;
/**
 * Most UTF-16 units that are looked at. NFC makes at most four code points one, of two units each,
 * so nothing that MAX_PASSWORD_CODE_POINTS allows is cut off, and a megabyte of combining marks is
 * never normalised (P01).
 */
const MAX_UNITS = 1_024;

export interface PasswordPolicy {
  /**
   * Fewest code points after NFC: 15 where the password may be the only factor, 8 where MFA is
   * enforced for all (D5).
   */
  readonly minLength: number;
  /** The list of common passwords, or null to do without. */
  readonly common: CommonPasswords | null;
}

export type PasswordFaultCode =
  | 'forbidden_characters'
  | 'too_short'
  | 'too_long'
  | 'common'
  | 'context_word';

export interface PasswordFault {
  readonly code: PasswordFaultCode;
  readonly detail: string;
}

/**
 * The form that is counted, compared and hashed: NFC (D8, N2). Null for a text that is nobody's
 * password: ill-formed, with a control character, or far too long. Sign-in treats null as a wrong
 * password and still does the work of one.
 *
 * Version 1 of the normalisation; nothing else is changed, neither case nor spaces (ASVS 6.2.8).
 */
export function normalizePassword(text: string): string | null {
  if (text.length > MAX_UNITS || isForbidden(text)) return null;
  return text.normalize('NFC');
}

/**
 * What is wrong with a password that somebody wants to set; empty if nothing is. Each fault says
 * what to write instead and carries nothing of the password.
 */
export function passwordFaults(
  policy: PasswordPolicy,
  password: string,
  context: PasswordContext,
): PasswordFault[] {
  if (password.length > MAX_UNITS) return [tooLong()];
  if (isForbidden(password)) {
    return [
      {
        code: 'forbidden_characters',
        detail: 'Use text without control characters and broken Unicode.',
      },
    ];
  }
  const text = password.normalize('NFC');
  const length = codePointCount(text);
  const faults: PasswordFault[] = [];
  if (length < policy.minLength)
    faults.push({
      code: 'too_short',
      detail: `Use at least ${policy.minLength} characters; this has ${length}.`,
    });
  if (length > MAX_PASSWORD_CODE_POINTS) faults.push(tooLong());
  if (isCommon(policy, text)) {
    faults.push({
      code: 'common',
      detail:
        'This password is among the most common ones, or is one of them with filler. Use another, such as several words of your own.',
    });
  }
  if (isMadeOfContext(policy, text, context)) {
    faults.push({
      code: 'context_word',
      detail:
        'This is little more than a name of the account or of the service. Add words of your own.',
    });
  }
  return faults;
}

function isCommon({ common }: PasswordPolicy, text: string): boolean {
  return common !== null && (common.has(text) || hidesCommon(text, common));
}

function isMadeOfContext(policy: PasswordPolicy, text: string, context: PasswordContext): boolean {
  const rest = withoutContextWords(text, context);
  if (!rest.found) return false;
  return rest.weight < MIN_REMAINDER || policy.common?.has(rest.text) === true;
}

function isForbidden(text: string): boolean {
  return !isWellFormed(text) || hasControlCharacters(text);
}

function tooLong(): PasswordFault {
  return { code: 'too_long', detail: `Use at most ${MAX_PASSWORD_CODE_POINTS} characters.` };
}
