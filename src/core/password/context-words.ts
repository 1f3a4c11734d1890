/**
 * Context words (ASVS 6.1.2, 6.2.11; N3): what the service knows about an account and about itself,
 * and therefore the first thing that others try. N3 forbids a substring rule, and rightly: a long
 * passphrase may well contain a name. So the question asked here is what is left of a password once
 * every context word is taken out:
 *
 * - Words: user name, display name, local part and domain labels of the e-mail address, the
 *   service's name, configured words; each whole and in its parts, from 3 characters on (2 in
 *   scripts with short words). Case, accents, compatibility forms and the usual look-alikes (`4`→a,
 *   `@`→a, `0`→o, `1`→i, `3`→e, `5`→s, `$`→s, `7`→t) make no difference.
 * - A word of 3 letters or fewer counts only where it stands alone (`art` is not found in
 *   `heartbreak`).
 * - What is left weighs 1 for a letter and ½ for anything else; a character that repeats the one
 *   before it, or goes one step on (`aaa`, `123`), and filler such as `password` or `welcome` weigh
 *   nothing.
 * - A password with a context word in it is refused if less than 6 is left, that is less than a
 *   word of one's own, or if what is left is itself a common password.
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
  /** Whether there was a context word at all. */
  readonly found: boolean;
  readonly weight: number;
  /** The letters and digits left, folded. */
  readonly text: string;
}

/** Less than this is no password of one's own. */
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
const LOOK_ALIKE = /[4@31!l|05$7øłđ]/g;
const LETTER = /\p{L}/u;
/**
 * Names and addresses are bounded where they come in; here a bound keeps the time linear in the
 * password, whatever comes.
 */
const MAX_WORDS = 64;
const MAX_WORD_LENGTH = 128;
const MAX_PASSWORD_LENGTH = 256;

/**
 * Takes the context words out of a password so that as little as possible is left. Time: password
 * length × words.
 */
export function withoutContextWords(password: string, context: PasswordContext): Remainder {
  // Cut again after folding: one compatibility character can stand for eighteen.
  const text = fold(password.slice(0, MAX_PASSWORD_LENGTH)).slice(0, MAX_PASSWORD_LENGTH);
  const plain = lookAlikes(text);
  const words = byFirstCharacter(contextWords(context));

  // least[i]: what the text from i on weighs at least; step[i]: how far the cheapest way goes there
  // (0: one character is left).
  const least = new Float64Array(text.length + 1);
  const step = new Int32Array(text.length + 1);
  const ownsWord = new Uint8Array(text.length + 1);
  for (let at = text.length - 1; at >= 0; at -= 1) {
    least[at] = weightAt(text, at) + (least[at + 1] ?? 0);
    ownsWord[at] = ownsWord[at + 1] ?? 0;
    for (const { word, isContext } of words.get(plain[at] ?? '') ?? []) {
      const end = at + word.length;
      // The last character first: words that begin alike would otherwise be compared in full, again
      // and again.
      if (plain[end - 1] !== word[word.length - 1] || !plain.startsWith(word, at)) continue;
      if (word.length <= 3 && !(isBoundary(text, at) && isBoundary(text, end))) continue;
      const weight = least[end] ?? 0;
      const owns = isContext ? 1 : (ownsWord[end] ?? 0);
      const isBetter =
        weight < (least[at] ?? 0) || (weight === least[at] && owns > (ownsWord[at] ?? 0));
      if (!isBetter) continue;
      least[at] = weight;
      step[at] = word.length;
      ownsWord[at] = owns;
    }
  }

  let left = '';
  for (let at = 0; at < text.length; ) {
    const length = step[at] ?? 0;
    if (length === 0) left += text[at] ?? '';
    at += Math.max(1, length);
  }
  return {
    found: ownsWord[0] === 1,
    weight: least[0] ?? 0,
    text: left.replaceAll(/[^\p{L}\p{N}]/gu, ''),
  };
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
  for (const source of sources) {
    const parts = fold(source.slice(0, MAX_WORD_LENGTH)).split(/[^\p{L}\p{N}]+/u);
    for (const part of [...parts, parts.join('')]) {
      const isWord = part.length >= 3 || (part.length === 2 && /[^\u0000-\u024f]{2}/.test(part));
      if (!isWord || words.size >= MAX_WORDS) continue;
      words.add(lookAlikes(part));
      // A short word counts alone; said twice it is no accident any more.
      if (part.length === 3) words.add(lookAlikes(part + part));
    }
  }
  return [...words];
}

interface Word {
  readonly word: string;
  /** A context word, or else filler. */
  readonly isContext: boolean;
}

/** Words to look for at a character, context words before filler. */
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

/** Whether a word may begin or end here: at an end of the text, or where one side is no letter. */
function isBoundary(text: string, at: number): boolean {
  return (
    at === 0 ||
    at === text.length ||
    !LETTER.test(text[at - 1] ?? '') ||
    !LETTER.test(text[at] ?? '')
  );
}

/** What a character adds to a password in which it follows the one before it. */
function weightAt(text: string, at: number): number {
  const isStep = at > 0 && Math.abs(text.charCodeAt(at) - text.charCodeAt(at - 1)) <= 1;
  if (isStep) return 0;
  return LETTER.test(text[at] ?? '') ? 1 : 0.5;
}
