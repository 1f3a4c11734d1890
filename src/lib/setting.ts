/**
 * The kinds of settings: zod schemas with metadata. The example file, the reference page, the
 * environment names and the messages are generated from their registry.
 */
import * as z from 'zod';
import { formatDuration, parseDuration } from './duration.ts';
import {
  refuse,
  sectionRegistry,
  settingWithDefault,
  settingWithoutDefault,
} from './setting-registry.ts';
import type { Description, RawValue, Reading, Refusal } from './setting-registry.ts';
import { parseRate } from './rate.ts';
import type { Rate } from './rate.ts';
import { formatSize, parseSize } from './size.ts';

export type { Reading } from './setting-registry.ts';

/** A section: a sentence and its settings. */
export function section<Shape extends z.core.$ZodShape>(
  sentence: string,
  shape: Shape,
): z.ZodObject<Shape> {
  const schema = z.object(shape);
  sectionRegistry.add(schema, { sentence });
  return schema;
}

interface Range {
  sentence: string;
  default: string;
  min: string;
  max: string;
}

/** A quantity that is written with its unit. */
interface Scale {
  readonly kind: 'duration' | 'size';
  readonly units: string;
  readonly parse: (text: string) => number | undefined;
  readonly format: (value: number) => string;
}

const DURATION: Scale = {
  kind: 'duration',
  units: 'ms, s, m, h, d',
  parse: parseDuration,
  format: formatDuration,
};
const SIZE: Scale = {
  kind: 'size',
  units: 'B, KiB, MiB, GiB',
  parse: parseSize,
  format: formatSize,
};

function ranged({ kind, units, parse, format }: Scale, range: Range): z.ZodType<number> {
  const min = parse(range.min);
  const max = parse(range.max);
  if (min === undefined || max === undefined) throw new Error(`an empty range: ${range.sentence}`);
  const unit = `a ${kind} (${units}), ${range.min} to ${range.max}`;
  const sample = format(parse(range.default) ?? 0);
  const what = `Write a ${kind} from "${range.min}" to "${range.max}", such as "${sample}".`;
  return settingWithDefault(
    { kind, sentence: range.sentence, unit, defaultValue: range.default },
    (raw) => {
      if (typeof raw === 'number' || (typeof raw === 'string' && /^\d+$/.test(raw)))
        return refuse('has no unit', what);
      const value = typeof raw === 'string' ? parse(raw) : undefined;
      if (value === undefined) return refuse(`is not a ${kind}`, what);
      if (value < min) return refuse(`is less than ${range.min}`, what);
      if (value > max) return refuse(`is more than ${range.max}`, what);
      return { value };
    },
  );
}

/** A duration within inclusive bounds, in milliseconds. */
export function duration(range: Range): z.ZodType<number> {
  return ranged(DURATION, range);
}

/** A size within inclusive bounds, in bytes. */
export function size(range: Range): z.ZodType<number> {
  return ranged(SIZE, range);
}

/** A number per period of 1s to 1d, or "off". */
export function rate(options: { sentence: string; default: string }): z.ZodType<Rate | 'off'> {
  const what = `Write a number and a period, such as "${options.default}", or "off".`;
  return settingWithDefault(
    {
      kind: 'rate',
      sentence: options.sentence,
      unit: 'a rate such as "30/1m", or "off"',
      defaultValue: options.default,
    },
    (raw) => {
      const value = typeof raw === 'string' ? parseRate(raw) : undefined;
      return value === undefined ? refuse('is not a rate', what) : { value };
    },
  );
}

/** A whole number within inclusive bounds. */
export function integer(range: {
  sentence: string;
  default: number;
  min: number;
  max: number;
  unit?: string;
}): z.ZodType<number> {
  const { sentence, min, max } = range;
  const unit = `${range.unit === undefined ? 'a whole number' : range.unit}, ${min} to ${max}`;
  const what = `Write a whole number from ${min} to ${max}.`;
  return settingWithDefault(
    { kind: 'integer', sentence, unit, defaultValue: range.default },
    (raw) => {
      if (typeof raw !== 'number' || !Number.isSafeInteger(raw))
        return refuse('is not a whole number', what);
      if (raw < min) return refuse(`is less than ${min}`, what);
      if (raw > max) return refuse(`is more than ${max}`, what);
      return { value: raw };
    },
  );
}

/** True or false. */
export function boolean(options: { sentence: string; default: boolean }): z.ZodType<boolean> {
  return settingWithDefault(
    {
      kind: 'boolean',
      sentence: options.sentence,
      unit: 'true or false',
      defaultValue: options.default,
    },
    (raw) =>
      typeof raw === 'boolean'
        ? { value: raw }
        : refuse('is neither true nor false', 'Write true or false.'),
  );
}

/** One of several words. */
export function choice<const Word extends string>(options: {
  sentence: string;
  default: NoInfer<Word>;
  of: readonly Word[];
}): z.ZodType<Word> {
  const words = options.of.join(', ');
  const description: Description & { defaultValue: RawValue } = {
    kind: 'choice',
    sentence: options.sentence,
    unit: `one of ${words}`,
    defaultValue: options.default,
  };
  return settingWithDefault(description, (raw) => {
    const value = options.of.find((word) => word === raw);
    return value === undefined ? refuse(undefined, `Write one of ${words}.`) : { value };
  });
}

/** A text that `read` accepts; without `read`, 1 to 100 visible characters. */
export function text(options: {
  sentence: string;
  default: string;
  unit?: string;
  read?: (text: string) => Reading<string>;
}): z.ZodType<string> {
  const read = options.read ?? readPlainText;
  return settingWithDefault(
    { kind: 'text', sentence: options.sentence, unit: options.unit, defaultValue: options.default },
    (raw) =>
      typeof raw === 'string'
        ? read(raw)
        : refuse('is not a text', `Write a text in quotes, such as "${options.default}".`),
  );
}

/** A text that may be absent. */
export function optionalText(options: {
  sentence: string;
  absent: string;
  example: string;
  unit?: string;
  read: (text: string) => Reading<string>;
}): z.ZodType<string | undefined> {
  return settingWithoutDefault({ kind: 'text', ...options }, (raw) =>
    typeof raw === 'string'
      ? options.read(raw)
      : refuse('is not a text', `Write a text in quotes, such as "${options.example}".`),
  );
}

function readPlainText(raw: string): Reading<string> {
  const fits =
    raw.isWellFormed() &&
    raw.trim() === raw &&
    raw.length > 0 &&
    raw.length <= 100 &&
    !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(raw);
  return fits
    ? { value: raw }
    : refuse(
        'is empty, too long, padded or has invisible characters',
        'Write 1 to 100 visible characters.',
      );
}

/** Several texts, each accepted by `read`; no duplicates. */
export function list<T>(options: {
  sentence: string;
  default: readonly string[];
  unit: string;
  min?: number;
  read: (text: string) => Reading<T>;
}): z.ZodType<T[]> {
  const what = `Write a list of texts: ${options.unit}.`;
  return settingWithDefault(
    {
      kind: 'list',
      sentence: options.sentence,
      unit: `a list: ${options.unit}`,
      defaultValue: options.default,
    },
    (raw) => readList(raw, what, options.min ?? 0, options.read),
  );
}

/** A list entry that may be any plain text. */
export const plainText = readPlainText;

function readList<T>(
  raw: unknown,
  what: string,
  min: number,
  read: (text: string) => Reading<T>,
): Reading<T[]> {
  if (!Array.isArray(raw)) return refuse('is not a list', what);
  const value: T[] = [];
  const refusals: Refusal[] = [];
  const seen = new Set<unknown>();
  for (const entry of raw) {
    const reading: Reading<T> =
      typeof entry === 'string' ? read(entry) : refuse('is not a text', what);
    if ('refusals' in reading)
      refusals.push(...reading.refusals.map((refusal) => ({ ...refusal, entry })));
    else if (seen.has(entry))
      refusals.push({ problem: 'is listed twice', remedy: 'Write it once.', entry });
    else value.push(reading.value);
    seen.add(entry);
  }
  if (refusals.length > 0) return { refusals };
  return value.length < min ? refuse('is empty', what) : { value };
}

/**
 * A secret; it can be given in four ways (config/secrets.ts) and is never displayed. `read` must
 * not repeat it in a refusal.
 */
export function secret<T>(options: {
  sentence: string;
  unit: string;
  absent: string;
  read: (text: string) => Reading<T>;
}): z.ZodType<T | undefined> {
  return settingWithoutDefault({ kind: 'secret', ...options }, (raw) =>
    typeof raw === 'string' ? options.read(raw) : refuse('is not a text', `Write ${options.unit}.`),
  );
}

/** Several secrets, none by default. */
export function secretList<T>(options: {
  sentence: string;
  unit: string;
  read: (text: string) => Reading<T>;
}): z.ZodType<T[]> {
  return settingWithDefault(
    {
      kind: 'secret_list',
      sentence: options.sentence,
      unit: `a list: ${options.unit}`,
      defaultValue: [],
    },
    (raw) => readList(raw, `Write a list: ${options.unit}.`, 0, options.read),
  );
}
