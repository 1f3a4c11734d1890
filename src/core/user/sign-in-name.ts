/**
 * Names that people sign in with, and what makes two of them one. The canonical form alone is
 * compared and UNIQUE; the form that was typed is what is shown.
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
 * Unicode's full case folding as far as the platform has it: upper case first, so that ß and SS, ς
 * and σ become one.
 */
function foldCase(text: string): string {
  return text.toUpperCase().toLowerCase();
}

/**
 * The canonical form of a username: NFKC and case folding, repeated until nothing changes (folding
 * can undo the normalisation), or null when the name is not one.
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

/** What somebody typed to sign in. `unknown` is no name at all, but costs and answers the same. */
export type SignInName =
  | { kind: 'username' | 'email'; canonical: string }
  | { kind: 'unknown'; canonical: string };

/** An address when there is an @ in it, else a username. */
export function parseSignInName(text: string): SignInName {
  if (text.includes('@')) {
    const canonical = canonicalEmail(text);
    return canonical === null ? { kind: 'unknown', canonical: text } : { kind: 'email', canonical };
  }
  const canonical = canonicalUsername(text);
  return canonical === null
    ? { kind: 'unknown', canonical: text }
    : { kind: 'username', canonical };
}

/** Characters that nobody sees: two names with and without them look alike. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u;

/**
 * The canonical form of a new username. Stricter than what signs in, for older names: nothing
 * invisible, and no id, which operators and verbs would take it for.
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
 * The canonical form of a new address. Stricter than what signs in, for older addresses.
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
