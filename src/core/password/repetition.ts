/** Texts that repeat one piece. */

/**
 * Length of the shortest piece whose repetition (the last one possibly truncated) is the text, by
 * Knuth, Morris and Pratt; the text's own length when there is none. Linear.
 */
export function shortestPeriod(text: string): number {
  const border = new Uint16Array(text.length + 1);
  let length = 0;
  for (let at = 1; at < text.length; at += 1) {
    while (length > 0 && text[at] !== text[length]) length = border[length] ?? 0;
    if (text[at] === text[length]) length += 1;
    border[at + 1] = length;
  }
  const period = text.length - length;
  return period <= text.length / 2 ? period : text.length;
}
