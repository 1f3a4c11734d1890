/** Rates as an operator writes them: how many in which time, such as "30/1m"; or "off". */
import { parseDuration } from './duration.ts';

/** So many in a period, which may come all at once. */
export interface Rate {
  readonly count: number;
  readonly periodMs: number;
}

const FORM = /^([1-9]\d{0,6})\/(\d+(?:ms|[smhd]))$/;
const LONGEST_MS = 86_400_000;

/** The rate of a text, `off` for no limit, or undefined for any other text. */
export function parseRate(text: string): Rate | 'off' | undefined {
  if (text === 'off') return 'off';
  const [, count, period] = FORM.exec(text) ?? [];
  const periodMs = period === undefined ? undefined : parseDuration(period);
  if (count === undefined || periodMs === undefined) return undefined;
  return periodMs < 1_000 || periodMs > LONGEST_MS ? undefined : { count: Number(count), periodMs };
}
