/**
 * The password policy: long enough, not common, not made of the account's own names. No composition
 * rules, no expiry (N1, ASVS 6.2.5, 6.2.10). Pure: the list of common passwords is a parameter.
 *
 * @see https://pages.nist.gov/800-63-4/sp800-63b.html#passwordver
 */
import { codePointCount, hasControlCharacters, isWellFormed } from '../../lib/text.ts';
import type { CommonPasswords } from './common-passwords.ts';
import { MIN_REMAINDER, withoutContextWords } from './context-words.ts';
import type { PasswordContext } from './context-words.ts';
import { hidesCommon } from './hidden-common.ts';

export type { PasswordContext } from './context-words.ts';

/** Maximum number of code points of a password, after NFC (D5). */
const MAX_PASSWORD_CODE_POINTS = 128;
/**
 * Maximum number of UTF-16 units that are read. NFC combines at most four code points, of two units
 * each, so nothing within MAX_PASSWORD_CODE_POINTS is lost, and a megabyte of combining marks is
 * never normalised (P01).
 */
const MAX_UNITS = 1_024;

export interface PasswordPolicy {
  /**
   * Minimum number of code points after NFC: 15 where the password may be the only factor, 8 where
   * MFA is required for everyone (D5).
   */
  readonly minLength: number;
  /** The list of common passwords; null disables the check. */
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
 * The form that is counted, compared and hashed: NFC (D8, N2). Null for a text that can't be a
 * password: ill-formed, with a control character, or far too long. Sign-in treats null as a wrong
 * password and does the same work.
 *
 * Version 1 of the normalisation; neither case nor spaces are changed (ASVS 6.2.8).
 */
export function normalizePassword(text: string): string | null {
  if (text.length > MAX_UNITS || isForbidden(text)) return null;
  return text.normalize('NFC');
}

/**
 * The faults of a new password; empty if it is acceptable. Each fault says what to write instead
 * and contains no part of the password.
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
        'This password is among the most common ones, or a simple variation of one. Use another, such as several words of your own.',
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
