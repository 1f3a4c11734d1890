/**
 * Durations as an operator writes them: a number and its unit, such as "15m". A bare number is
 * refused, because its unit would be a guess.
 */

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

const FORM = /^(\d{1,15})(ms|[smhd])$/;

/**
 * Milliseconds of a text such as "250ms", "30s", "15m", "12h" or "90d", or undefined for any other
 * text.
 */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = FORM.exec(text) ?? [];
  const scale = UNITS.find(([name]) => name === unit)?.[1];
  if (count === undefined || scale === undefined) return undefined;
  const ms = Number(count) * scale;
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** The shortest text that {@link parseDuration} reads as the same number of whole milliseconds. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  const [unit, scale] = UNITS.find(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / scale}${unit}`;
}
