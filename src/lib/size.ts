/**
 * Sizes as an operator writes them: a number and a binary unit, such as "19MiB". Decimal units are
 * refused, because "MB" is ambiguous.
 */

const UNITS = [
  ['GiB', 1_073_741_824],
  ['MiB', 1_048_576],
  ['KiB', 1024],
  ['B', 1],
] as const;

const FORM = /^(\d{1,15})(B|[KMG]iB)$/;

/** Bytes of a text such as "64KiB", or undefined for any other text. */
export function parseSize(text: string): number | undefined {
  const [, count, unit] = FORM.exec(text) ?? [];
  const scale = UNITS.find(([name]) => name === unit)?.[1];
  if (count === undefined || scale === undefined) return undefined;
  const bytes = Number(count) * scale;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The shortest text that {@link parseSize} reads as the same number of bytes. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return '0B';
  const [unit, scale] = UNITS.find(([, size]) => bytes % size === 0) ?? ['B', 1];
  return `${bytes / scale}${unit}`;
}
