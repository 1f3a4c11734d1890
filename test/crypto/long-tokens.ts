/** Texts that are refused by their length or their dots alone (R2, J10). */
export const LONG_TOKENS: readonly string[] = [
  'a'.repeat(1e7),
  '.'.repeat(1e7),
  'a.'.repeat(5e6),
  `${'a'.repeat(4_094)}..`,
  '.'.repeat(1_000),
];
