/** Rates as an operator writes them: a number per period, such as "30/1m"; or "off". */
import { parseDuration } from './duration.ts';

/** A number per period, all of which may come at once. */
export interface Rate {
  readonly count: number;
  readonly periodMs: number;
}

const FORM = /^([1-9]\d{0,6})\/(\d+(?:ms|[smhd]))$/;
const LONGEST_MS = 86_400_000;

/** Parses a rate; `off` for no limit, or undefined for any other text. */
export function parseRate(text: string): Rate | 'off' | undefined {
  if (text === 'off') return 'off';
  const [, count, period] = FORM.exec(text) ?? [];
  const periodMs = period === undefined ? undefined : parseDuration(period);
  if (count === undefined || periodMs === undefined) return undefined;
  return periodMs < 1_000 || periodMs > LONGEST_MS ? undefined : { count: Number(count), periodMs };
}
