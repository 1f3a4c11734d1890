/** 60 kB that are hard to normalise or to judge (P01). */
export const LONG_PASSWORDS: readonly string[] = [
  'a'.repeat(60_000),
  '\u0301'.repeat(20_000),
  'ﷺ'.repeat(20_000),
  'a1!'.repeat(20_000),
];
