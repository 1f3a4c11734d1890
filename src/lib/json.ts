/**
 * Strict parsing of untrusted JSON. `JSON.parse` decides syntax and values; one linear scan then
 * refuses what two parsers may understand differently: duplicate members (also if spelled with
 * escapes), unlimited nesting, ill-formed Unicode, NUL, and a member named `__proto__`. (R2, G1,
 * G3, T5, J09, H02, H04)
 *
 * @see https://www.rfc-editor.org/rfc/rfc8259#section-4
 * @see https://www.rfc-editor.org/rfc/rfc7493#section-2 (I-JSON)
 */

export type JsonErrorCode =
  | 'syntax'
  | 'duplicate_member'
  | 'too_deep'
  | 'ill_formed'
  | 'forbidden_member';

/**
 * Why a text was refused. The message contains no input; `pointer` (RFC 6901) says where, if known.
 */
export class JsonError extends Error {
  readonly code: JsonErrorCode;
  readonly pointer: string;

  constructor(code: JsonErrorCode, pointer = '', options?: ErrorOptions) {
    super(`json: ${code}`, options);
    this.name = 'JsonError';
    this.code = code;
    this.pointer = pointer;
  }
}

export interface JsonLimits {
  /** Maximum nesting of arrays and objects; `[]` is 1, a bare string 0. */
  maxDepth: number;
}

/**
 * Parses JSON as `JSON.parse` does, and refuses what the module comment lists. A byte order mark is
 * a syntax error; the caller decodes UTF-8 strictly.
 *
 * @throws JsonError
 */
export function parseJson(text: string, limits: JsonLimits): unknown {
  if (!text.isWellFormed()) throw new JsonError('ill_formed');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The engine's message quotes the input, so it is not kept as a cause.
    throw new JsonError('syntax');
  }
  if (!isPlain(text, value, limits.maxDepth)) scan(text, limits.maxDepth);
  return value;
}

/**
 * Whether a text needs no scan: it equals `JSON.stringify` of its value, so no name is repeated,
 * and has no escapes, no `__proto__` and few brackets. Most texts qualify, and this takes a third
 * of the time.
 */
function isPlain(text: string, value: unknown, maxDepth: number): boolean {
  if (text.includes('\\') || text.includes('__proto__')) return false;
  return opens(text, maxDepth) <= maxDepth && JSON.stringify(value) === text;
}

/** Number of opening brackets and braces, also within strings; counted up to `most` + 1. */
function opens(text: string, most: number): number {
  let count = 0;
  for (const bracket of ['{', '[']) {
    let at = text.indexOf(bracket);
    while (at >= 0 && count <= most) {
      count += 1;
      at = text.indexOf(bracket, at + 1);
    }
  }
  return count;
}

export type JsonObject = { [key: string]: unknown };

/** Whether a value is a JSON object: no array, not null. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An array or object that is open at the scan's position. */
interface Frame {
  readonly isObject: boolean;
  /** Number of elements before this one, for the pointer. */
  index: number;
  key: string;
  /** Names seen so far; most objects are small, so a Set is created only for the second name. */
  first: string | undefined;
  names: Set<string> | undefined;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BRACKET_OPEN = 0x5b;
const BACKSLASH = 0x5c;
const BRACKET_CLOSE = 0x5d;
const LETTER_U = 0x75;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;

/**
 * Scans a text that `JSON.parse` has accepted, so it only has to look at quotes, brackets and
 * commas.
 */
function scan(text: string, maxDepth: number): void {
  const state: Scan = { stack: [], frame: undefined, expectsName: false };
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) at = passString(text, at, state);
    else if (char === BRACE_OPEN || char === BRACKET_OPEN) {
      if (state.stack.length >= maxDepth) throw new JsonError('too_deep', pointerOf(state.stack));
      open(state, char === BRACE_OPEN);
    } else if (char === BRACE_CLOSE || char === BRACKET_CLOSE) close(state);
    else if (char === COMMA) separate(state);
  }
}

/** One for each text; its functions allocate only per object, array and name. */
interface Scan {
  readonly stack: Frame[];
  /** The innermost open one. */
  frame: Frame | undefined;
  /** Whether the next string is the name of a member. */
  expectsName: boolean;
}

/** Checks the string that begins at a quote. @returns the index of its closing quote */
function passString(text: string, at: number, state: Scan): number {
  const end = endOfString(text, at + 1, state.stack);
  if (state.expectsName && state.frame !== undefined) {
    state.expectsName = false;
    addName(state.frame, nameAt(text, at, end), state.stack);
  }
  return end;
}

function open(state: Scan, isObject: boolean): void {
  const frame = { isObject, index: 0, key: '', first: undefined, names: undefined };
  state.stack.push(frame);
  state.frame = frame;
  state.expectsName = isObject;
}

function close(state: Scan): void {
  state.stack.pop();
  state.frame = state.stack[state.stack.length - 1];
  state.expectsName = false;
}

function separate(state: Scan): void {
  if (state.frame === undefined) return;
  if (state.frame.isObject) state.expectsName = true;
  else state.frame.index += 1;
}

/** Index of the closing quote; `start` is the first character of the string's content. */
function endOfString(text: string, start: number, stack: readonly Frame[]): number {
  let at = start;
  for (;;) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) return at;
    if (char !== BACKSLASH) {
      at += 1;
    } else if (text.charCodeAt(at + 1) !== LETTER_U) {
      at += 2;
    } else {
      at += checkEscape(text, at, stack);
    }
  }
}

/** Length of the `\uXXXX` escape, or pair of them, at an index; refuses NUL and lone surrogates. */
function checkEscape(text: string, at: number, stack: readonly Frame[]): number {
  const unit = unitAt(text, at);
  if (unit === 0) throw new JsonError('ill_formed', pointerOf(stack));
  if ((unit & 0xf800) !== 0xd800) return 6;
  // Raw lone surrogates were refused already, so the other half can only be an escape too.
  const paired =
    unit < 0xdc00 && text.startsWith('\\u', at + 6) && (unitAt(text, at + 6) & 0xfc00) === 0xdc00;
  if (!paired) throw new JsonError('ill_formed', pointerOf(stack));
  return 12;
}

function unitAt(text: string, at: number): number {
  return (
    (hexAt(text, at + 2) << 12) |
    (hexAt(text, at + 3) << 8) |
    (hexAt(text, at + 4) << 4) |
    hexAt(text, at + 5)
  );
}

function hexAt(text: string, at: number): number {
  const char = text.charCodeAt(at);
  return char < 0x3a ? char - 0x30 : (char | 0x20) - 0x57;
}

/** The member name between two quotes, unescaped. */
function nameAt(text: string, open: number, close: number): string {
  const raw = text.slice(open + 1, close);
  return raw.includes('\\') ? String(JSON.parse(`"${raw}"`)) : raw;
}

function addName(frame: Frame, name: string, stack: readonly Frame[]): void {
  frame.key = name;
  // An own property here, but `Object.assign` and merge loops elsewhere would make it a prototype
  // (T5).
  if (name === '__proto__') throw new JsonError('forbidden_member', pointerOf(stack));
  if (frame.first === undefined) {
    frame.first = name;
    return;
  }
  frame.names ??= new Set([frame.first]);
  if (frame.names.has(name)) throw new JsonError('duplicate_member', pointerOf(stack));
  frame.names.add(name);
}

/** RFC 6901 pointer to the scan's position. */
function pointerOf(stack: readonly Frame[]): string {
  let pointer = '';
  for (const frame of stack) {
    pointer +=
      '/' +
      (frame.isObject
        ? frame.key.replaceAll('~', '~0').replaceAll('/', '~1')
        : String(frame.index));
  }
  return pointer;
}
