/**
 * Checks for text from outside before it is stored, compared or shown (G1): well-formed Unicode, no
 * characters that control terminals, logs, headers or databases. Nothing here repairs text.
 *
 * @see https://www.unicode.org/versions/Unicode16.0.0/core-spec/chapter-23/ (control codes)
 */

// C0, DEL and C1, with NUL among them: libSQL stores a text with NUL whole and reads it back cut
// (T3).
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
// Separators that some readers treat as line ends; U+0085 is a C1 control already.
const LINE_BREAK = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/**
 * Whether a text has no lone surrogate: those become U+FFFD in UTF-8, so that different texts would
 * become equal (T4).
 */
export function isWellFormed(text: string): boolean {
  return text.isWellFormed();
}

/** Whether a text has a C0 or C1 control character, NUL and DEL included. */
export function hasControlCharacters(text: string): boolean {
  return CONTROL.test(text);
}

/** Whether a text could break a line or a header: control characters, U+2028 and U+2029 (H10). */
export function hasLineBreak(text: string): boolean {
  return LINE_BREAK.test(text);
}

/** The number of code points, in linear time and without a copy. A lone surrogate counts as one. */
export function codePointCount(text: string): number {
  let count = text.length;
  for (let at = 1; at < text.length; at += 1) {
    const isLow = (text.charCodeAt(at) & 0xfc00) === 0xdc00;
    if (isLow && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800) count -= 1;
  }
  return count;
}
