/**
 * Secrets that people type: long enough, and not an example from a tutorial (A05). A refused secret
 * is never repeated, nor described.
 */
import type { Reading } from './setting-registry.ts';

// 16 random hexadecimal characters have fewer than 6 different ones about once in a million.
const MIN_DISTINCT = 6;
const PLACEHOLDER =
  /change.?(me|this|it)|example|placeholder|your.?(own|secret|key|pepper)|secret|passw|default|postern|12345678|abcdefgh|qwerty/i;

/** Reads a secret text with a minimum length in bytes of UTF-8. */
export function readSecretText(minBytes: number): (text: string) => Reading<string> {
  const remedy = `Write at least ${minBytes} random bytes; make them with: openssl rand -base64 32`;
  return (text) => {
    if (text === '')
      return { refusals: [{ problem: 'is empty', remedy: `${remedy}, or leave it out` }] };
    if (Buffer.byteLength(text, 'utf8') < minBytes)
      return { refusals: [{ problem: `has fewer than ${minBytes} bytes`, remedy }] };
    if (!text.isWellFormed() || /\p{Cc}/u.test(text))
      return { refusals: [{ problem: 'has control characters or more than one line', remedy }] };
    const typed =
      PLACEHOLDER.test(text) ||
      new Set(text).size < Math.min(MIN_DISTINCT, minBytes) ||
      isRepetition(text);
    return typed ? { refusals: [{ problem: 'does not look random', remedy }] } : { value: text };
  };
}

/** Reads a credential that another service issued; it only has to be present. */
export function readForeignSecret(text: string): Reading<string> {
  if (text !== '' && text.isWellFormed() && !/[\p{Cc}\s]/u.test(text)) return { value: text };
  return {
    refusals: [
      {
        problem: 'is empty or has spaces or line ends',
        remedy: 'Write the token as it was issued, or leave it out.',
      },
    ],
  };
}

/** Whether a text repeats a shorter one. */
function isRepetition(text: string): boolean {
  return (text + text).indexOf(text, 1) < text.length;
}
