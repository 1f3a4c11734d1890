/**
 * Schemas of common body fields, and how a failed validation is reported: a pointer, a stable code,
 * and a sentence that says what to write instead and never repeats the input.
 */
import * as z from 'zod';
import type { InputFault } from '../refusal.ts';
import { codePointCount, hasControlCharacters, isWellFormed } from '../lib/text.ts';

export interface TextLimits {
  /** Minimum and maximum number of code points. */
  readonly min: number;
  readonly max: number;
}

/**
 * Text that can be stored and shown: well-formed Unicode without control characters (G1), counted
 * in code points.
 */
export function text(limits: TextLimits): z.ZodString {
  return z.string().superRefine((value, context) => {
    // Check the bytes first: counting the code points of a megabyte would be wasted work.
    if (value.length > 2 * limits.max)
      return fault(context, 'too_long', `Use at most ${limits.max} characters.`);
    if (!isWellFormed(value)) return fault(context, 'ill_formed_text', 'Use well-formed Unicode.');
    if (hasControlCharacters(value))
      return fault(context, 'forbidden_characters', 'Leave out control characters.');
    const length = codePointCount(value);
    if (length < limits.min)
      return fault(
        context,
        'too_short',
        `Use at least ${limits.min} ${limits.min === 1 ? 'character' : 'characters'}.`,
      );
    if (length > limits.max)
      return fault(context, 'too_long', `Use at most ${limits.max} characters.`);
  });
}

/**
 * A password in a request: any text; the password policy (`features/password`) decides whether it
 * is acceptable.
 */
export function passwordText(): z.ZodString {
  return z.string().superRefine((value, context) => {
    if (value.length > 1_024) return fault(context, 'too_long', 'Use at most 128 characters.');
  });
}

/** A token of this service: its format is checked where its kind is known. */
export function tokenText(): z.ZodString {
  return z.string().superRefine((value, context) => {
    if (value.length === 0) return fault(context, 'too_short', 'The token is empty.');
    if (value.length > 16_384)
      return fault(context, 'too_long', 'This is longer than any token of this service.');
  });
}

const MAX_METADATA_BYTES = 8_192;

/**
 * A JSON object that the front-end keeps with a user; bounded, and stored as data that is never
 * interpreted.
 */
export function metadata(): z.ZodType<Record<string, unknown>> {
  return z.record(z.string(), z.unknown()).superRefine((value, context) => {
    const stored = JSON.stringify(value);
    if (Buffer.byteLength(stored) > MAX_METADATA_BYTES)
      return fault(context, 'too_long', `Use at most ${MAX_METADATA_BYTES} bytes of JSON.`);
    if (ILL_FORMED.test(stored))
      return fault(context, 'ill_formed_text', 'Use well-formed Unicode without NUL.');
    if (hasInexactNumber(value))
      return fault(
        context,
        'inexact_number',
        'Write integers beyond ±9007199254740991, and numbers beyond a double, as strings.',
      );
  });
}

/** An escape that JSON.stringify writes for NUL and lone surrogates; not an escaped backslash. */
const ILL_FORMED = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i;

/** Whether parsing changed a number, so that the stored value would differ from the one sent. */
function hasInexactNumber(value: unknown): boolean {
  if (typeof value === 'number')
    return !Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value));
  return typeof value === 'object' && value !== null && Object.values(value).some(hasInexactNumber);
}

/** A time in answers: RFC 3339, UTC, milliseconds. */
export const timestamp = z.iso
  .datetime({ precision: 3 })
  .meta({ description: 'RFC 3339, UTC, milliseconds' });

export function rfc3339(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function fault(
  context: z.RefinementCtx<string | Record<string, unknown>>,
  code: string,
  message: string,
): void {
  context.addIssue({ code: 'custom', message, params: { code } });
}

const MAX_FAULTS = 20;

/**
 * One RFC 6901 reference token; an unknown member name is truncated, and characters that could
 * break a log or a page are not repeated.
 */
function pointerToken(token: PropertyKey): string {
  const name = String(token);
  const shown = name.length > 64 ? `${name.slice(0, 64)}…` : name;
  return `/${shown
    .replace(/[^\P{C}]/gu, '?')
    .replaceAll('~', '~0')
    .replaceAll('/', '~1')}`;
}

/** Converts a schema's errors into the `errors` of a problem document. */
export function inputFaults(error: z.core.$ZodError): InputFault[] {
  const faults: InputFault[] = [];
  for (const issue of error.issues) {
    if (faults.length >= MAX_FAULTS) break;
    const pointer = issue.path.map(pointerToken).join('');
    switch (issue.code) {
      case 'unrecognized_keys':
        for (const key of issue.keys.slice(0, MAX_FAULTS))
          faults.push({
            pointer: `${pointer}${pointerToken(key)}`,
            code: 'unknown_member',
            detail: 'This route does not take such a member. Leave it out.',
          });
        break;
      case 'invalid_type':
        faults.push(
          issue.input === undefined
            ? { pointer, code: 'required', detail: 'This is required.' }
            : { pointer, code: 'wrong_type', detail: `This has to be ${article(issue.expected)}.` },
        );
        break;
      case 'custom': {
        const code = issue.params?.['code'];
        faults.push({
          pointer,
          code: typeof code === 'string' ? code : 'invalid',
          detail: issue.message,
        });
        break;
      }
      case 'too_small':
        faults.push({ pointer, code: 'too_short', detail: issue.message });
        break;
      case 'too_big':
        faults.push({ pointer, code: 'too_long', detail: issue.message });
        break;
      default:
        faults.push({
          pointer,
          code: 'invalid',
          detail: 'This is not valid here; see /openapi.json.',
        });
    }
  }
  return faults.slice(0, MAX_FAULTS);
}

function article(type: string): string {
  const word = type === 'record' ? 'object' : type;
  return /^[aeiou]/.test(word) ? `an ${word}` : `a ${word}`;
}

/** The audience of the access token (RFC 8707). */
export const resourceMember = z
  .string()
  .max(256, 'No resource here is that long.')
  .optional()
  .meta({
    description:
      'The audience of the access token, one of [audiences]; if absent, tokens.audience.',
  });

/** A code that the user types, as this service sent or showed it. */
export const shortCodeText = z.string().max(32, 'No code is that long.');

/** A code that the user types, in any format: the feature that issued it checks it. */
export const codeText = z.string().max(64, 'No code is that long.');

/** A name or an address as typed; the feature decides which one it is. */
export function nameText(what: 'name' | 'address'): z.ZodString {
  const detail = what === 'name' ? 'No name here is that long.' : 'No address is that long.';
  return z.string().max(512, detail);
}

/** A telephone number as typed; the country and the kind of number are checked where they matter. */
export function phoneText(): z.ZodString {
  return z.string().max(40, 'No number is that long.').meta({
    description: 'With + and the country calling code; spaces, dots and hyphens are ignored.',
  });
}
