/**
 * Names that users sign in with, and when two of them are the same. Only the canonical form is
 * compared and UNIQUE; the typed form is displayed.
 */
import { canonicalEmail, isPlainEmail } from '../../lib/email-address.ts';
import { isId } from '../../lib/id.ts';
import { isWellFormed } from '../../lib/text.ts';
import { invalidRequest } from '../../refusal.ts';

const MAX_USERNAME_CODE_POINTS = 64;

/**
 * Letters, marks and digits of any script, with `.`, `_` and `-` inside. No `@`: a username is
 * never an address.
 */
const USERNAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]*$/u;

/**
 * Unicode's full case folding as far as the platform supports it: upper case first, so that ß and
 * SS, ς and σ are equal.
 */
function foldCase(text: string): string {
  return text.toUpperCase().toLowerCase();
}

/**
 * The canonical form of a username: NFKC and case folding, repeated until nothing changes (folding
 * can undo the normalisation), or null when the name is invalid.
 *
 * @see https://www.unicode.org/reports/tr31/#NFKC_Modifications
 */
function canonicalUsername(text: string): string | null {
  if (text.length === 0 || text.length > 4 * MAX_USERNAME_CODE_POINTS || !isWellFormed(text))
    return null;
  let name = text;
  for (let round = 0; ; round++) {
    const next = foldCase(name.normalize('NFKC')).normalize('NFKC');
    if (next === name) break;
    if (round === 4) return null;
    name = next;
  }
  if (!USERNAME.test(name) || !USERNAME.test(text)) return null;
  return [...name].length <= MAX_USERNAME_CODE_POINTS ? name : null;
}

/** The beginning of canonical names, as the beginning of a name folds. */
export function canonicalPrefix(text: string): string {
  return foldCase(text.normalize('NFKC')).normalize('NFKC');
}

/**
 * What a user typed to sign in. `unknown` is not a valid name, but costs the same and gets the same
 * answer.
 */
export type SignInName =
  | { kind: 'username' | 'email' | 'phone'; canonical: string }
  | { kind: 'unknown'; canonical: string };

/** E.164 has at most fifteen digits. */
const E164 = /^\+[1-9][0-9]{5,14}$/;

/** A number without the spaces and signs that people write in it; null if it is none. */
export function canonicalPhone(text: string): string | null {
  if (text.length > 40) return null;
  const plain = text.replaceAll(/[\s().\u2010-\u2013/-]/g, '');
  return E164.test(plain) ? plain : null;
}

/** An address if it contains an @, a number if it begins with +, else a username. */
export function parseSignInName(text: string): SignInName {
  if (text.includes('@')) {
    const canonical = canonicalEmail(text);
    return canonical === null ? { kind: 'unknown', canonical: text } : { kind: 'email', canonical };
  }
  if (text.startsWith('+')) {
    const canonical = canonicalPhone(text);
    return canonical === null ? { kind: 'unknown', canonical: text } : { kind: 'phone', canonical };
  }
  const canonical = canonicalUsername(text);
  return canonical === null
    ? { kind: 'unknown', canonical: text }
    : { kind: 'username', canonical };
}

/** Invisible characters: two names that differ only in them look alike. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u;

/**
 * The canonical form of a new username. Stricter than for a sign-in, where older names must still
 * work: no invisible characters, and no UUID, which operators' verbs would take for an id.
 *
 * @throws {Refusal} invalid_request at its pointer
 */
export function demandUsername(username: string): string {
  const canonical = canonicalUsername(username);
  const isAmbiguous = INVISIBLE.test(username) || (canonical !== null && isId(canonical));
  if (canonical !== null && !isAmbiguous) return canonical;
  throw invalidRequest({
    pointer: '/username',
    code: 'invalid_username',
    detail:
      'Use up to 64 visible letters and digits; dot, underscore and hyphen may stand after the first. A UUID is no username.',
  });
}

/**
 * The canonical form of a new address. Stricter than for a sign-in, where older addresses must
 * still work.
 *
 * @throws {Refusal} invalid_request at its pointer
 */
export function demandEmail(email: string): string {
  const canonical = canonicalEmail(email);
  if (canonical !== null && isPlainEmail(email)) return canonical;
  throw invalidRequest({
    pointer: '/email',
    code: 'invalid_email',
    detail: 'Write one plain address, such as ada@example.com.',
  });
}
