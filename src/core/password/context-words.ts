/**
 * Context words (ASVS 6.1.2, 6.2.11; N3): what the service knows about an account and about itself,
 * and therefore what an attacker tries first. N3 forbids a substring rule, because a long
 * passphrase may contain a name. Instead, the check measures what is left of a password once every
 * context word is removed:
 *
 * - Words: username, display name, local part and domain labels of the email address, the service's
 *   name, configured words; each whole and in its parts, from 3 characters on (2 in scripts with
 *   short words). Case, accents, compatibility forms and the usual look-alikes (`4`→a, `@`→a,
 *   `0`→o, `1`→i, `3`→e, `5`→s, `$`→s, `7`→t) make no difference.
 * - A word of at most 3 letters counts only where it is a separate word (`art` is not found in
 *   `heartbreak`).
 * - The weight of the rest is 1 for a letter and ½ for anything else; a character that repeats or
 *   continues the previous one (`aaa`, `123`), and filler such as `password` or `welcome`, weighs
 *   nothing.
 * - A password with a context word is refused if the rest weighs less than 6, which is less than a
 *   word of the user's own, or if the rest is itself a common password.
 *
 * So `ada-lovelace-2024`, `Postern-Postern!` and `p0stern_password` are refused;
 * `ada-lovelace-draws-engines` is not.
 */

/** What is known about the account that a password is for. */
export interface PasswordContext {
  readonly username?: string | null;
  readonly email?: string | null;
  readonly displayName?: string | null;
  /** The service's name and the words that the operator added. */
  readonly words?: readonly string[];
}

/** A password without its context words. */
export interface Remainder {
  /** Whether the password contained a context word. */
  readonly found: boolean;
  readonly weight: number;
  /** The remaining letters and digits, folded. */
  readonly text: string;
}

/** The minimum weight of the rest. */
export const MIN_REMAINDER = 6;

const FILLERS = [
  'account',
  'admin',
  'hello',
  'letmein',
  'login',
  'passphrase',
  'passwort',
  'password',
  'secret',
  'secure',
  'signin',
  'user',
  'welcome',
];
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  '4': 'a',
  '@': 'a',
  '3': 'e',
  '1': 'i',
  '!': 'i',
  l: 'i',
  '|': 'i',
  '0': 'o',
  '5': 's',
  $: 's',
  '7': 't',
  ø: 'o',
  ł: 'i',
  đ: 'd',
};
// Escaped, because one letter beyond Latin-1 would double the bundle's size in memory.
const LOOK_ALIKE = /[4@31!l|05$7\u00f8\u0142\u0111]/g;
const LETTER = /\p{L}/u;
/** Two characters of a script in which words may be that short. */
const SHORT_SCRIPT = /[^\u0000-\u024f]{2}/;
/**
 * Names and addresses are bounded on input; this bound also keeps the time linear in the password,
 * for any input.
 */
const MAX_WORDS = 64;
const MAX_WORD_LENGTH = 128;
const MAX_PASSWORD_LENGTH = 256;

/**
 * Removes the context words from a password so that the rest has the least weight. Time: password
 * length × words.
 */
export function withoutContextWords(password: string, context: PasswordContext): Remainder {
  // Truncated again after folding: one compatibility character can become eighteen.
  const text = fold(password.slice(0, MAX_PASSWORD_LENGTH)).slice(0, MAX_PASSWORD_LENGTH);
  const ways = cheapestWays(text, byFirstCharacter(contextWords(context)));
  let left = '';
  for (let at = 0; at < text.length; ) {
    const length = ways.step[at] ?? 0;
    if (length === 0) left += text[at] ?? '';
    at += Math.max(1, length);
  }
  return {
    found: ways.ownsWord[0] === 1,
    weight: ways.least[0] ?? 0,
    text: left.replaceAll(/[^\p{L}\p{N}]/gu, ''),
  };
}

/** For each position of a text, the split from there to the end with the least weight. */
interface Ways {
  /** The least weight of the text from here on. */
  readonly least: Float64Array;
  /** The length of the next step: that of a word, or 0, which keeps one character. */
  readonly step: Int32Array;
  /** 1 when the step removes a context word. */
  readonly ownsWord: Uint8Array;
}

function cheapestWays(text: string, words: ReadonlyMap<string, readonly Word[]>): Ways {
  const plain = lookAlikes(text);
  const ways: Ways = {
    least: new Float64Array(text.length + 1),
    step: new Int32Array(text.length + 1),
    ownsWord: new Uint8Array(text.length + 1),
  };
  for (let at = text.length - 1; at >= 0; at -= 1) {
    ways.least[at] = weightAt(text, at) + (ways.least[at + 1] ?? 0);
    ways.ownsWord[at] = ways.ownsWord[at + 1] ?? 0;
    for (const word of words.get(plain[at] ?? '') ?? [])
      if (isWordAt(word.word, at, plain, text)) takeIfCheaper(ways, at, word);
  }
  return ways;
}

/** @param plain the text with look-alikes replaced, which is searched for words */
function isWordAt(word: string, at: number, plain: string, text: string): boolean {
  const end = at + word.length;
  // Compare the last character first: words with a common beginning would otherwise be compared in
  // full, again and again.
  if (plain[end - 1] !== word[word.length - 1] || !plain.startsWith(word, at)) return false;
  return word.length > 3 || (isBoundary(text, at) && isBoundary(text, end));
}

function takeIfCheaper({ least, step, ownsWord }: Ways, at: number, taken: Word): void {
  const { length } = taken.word;
  const weight = least[at + length] ?? 0;
  const owns = taken.isContext ? 1 : (ownsWord[at + length] ?? 0);
  const known = least[at] ?? 0;
  const isBetter = weight < known || (weight === known && owns > (ownsWord[at] ?? 0));
  if (!isBetter) return;
  least[at] = weight;
  step[at] = length;
  ownsWord[at] = owns;
}

/** All words of a context, folded, look-alikes replaced. */
function contextWords(context: PasswordContext): string[] {
  const [local = '', domain = ''] = (context.email ?? '').split('@');
  const sources = [
    context.username ?? '',
    context.displayName ?? '',
    local,
    domain,
    ...(context.words ?? []),
  ];
  const words = new Set<string>();
  for (const part of sources.flatMap(partsOf)) {
    if (words.size >= MAX_WORDS) break;
    words.add(lookAlikes(part));
    // A short word counts only as a separate word, unless it is repeated.
    if (part.length === 3) words.add(lookAlikes(part + part));
  }
  return [...words];
}

/** The words in a name or an address, and the whole as one word. */
function partsOf(source: string): string[] {
  const parts = fold(source.slice(0, MAX_WORD_LENGTH)).split(/[^\p{L}\p{N}]+/u);
  return [...parts, parts.join('')].filter(
    (part) => part.length >= 3 || (part.length === 2 && SHORT_SCRIPT.test(part)),
  );
}

interface Word {
  readonly word: string;
  /** A context word, or else filler. */
  readonly isContext: boolean;
}

/** The words to look for at a position, context words before filler. */
function byFirstCharacter(contextual: readonly string[]): Map<string, Word[]> {
  const words = new Map<string, Word[]>();
  const all = [
    ...contextual.map((word) => ({ word, isContext: true })),
    ...FILLERS.map((word) => ({ word: lookAlikes(word), isContext: false })),
  ];
  for (const entry of all) {
    const first = entry.word[0] ?? '';
    const known = words.get(first);
    if (known === undefined) words.set(first, [entry]);
    else known.push(entry);
  }
  return words;
}

/** Lower case without accents and compatibility forms. */
function fold(text: string): string {
  return text.normalize('NFKD').toLowerCase().replaceAll(/\p{M}/gu, '').normalize('NFC');
}

function lookAlikes(text: string): string {
  return text.replaceAll(LOOK_ALIKE, (char) => LOOK_ALIKES[char] ?? char);
}

/**
 * Whether a word may begin or end here: at an end of the text, or where one side is not a letter.
 */
function isBoundary(text: string, at: number): boolean {
  return (
    at === 0 ||
    at === text.length ||
    !LETTER.test(text[at - 1] ?? '') ||
    !LETTER.test(text[at] ?? '')
  );
}

/** The weight that a character adds, given the previous one. */
function weightAt(text: string, at: number): number {
  const isStep = at > 0 && Math.abs(text.charCodeAt(at) - text.charCodeAt(at - 1)) <= 1;
  if (isStep) return 0;
  return LETTER.test(text[at] ?? '') ? 1 : 0.5;
}
