/**
 * A strict parser for the CBOR that authenticators write: definite lengths within the input, no
 * tags and floats, map keys that are unique integers or texts, and little nesting. The WebAuthn
 * library accepts more (lengths beyond the end, nesting until the stack overflows), so this parser
 * runs before it (W07).
 *
 * @see https://www.rfc-editor.org/rfc/rfc8949#section-3
 * @see
 *   https://fidoalliance.org/specs/fido-v2.1-ps-20210615/fido-client-to-authenticator-protocol-v2.1-ps-20210615.html#ctap2-canonical-cbor-encoding-form
 */
import { NotVerified } from './not-verified.ts';

export type Cbor =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly Cbor[]
  | ReadonlyMap<number | string, Cbor>;

interface CborItem {
  readonly value: Cbor;
  /** The index after it. */
  readonly end: number;
}

/** An attestation statement with certificates has three levels; extension outputs have no more. */
const MAX_DEPTH = 6;

const malformed = (): NotVerified =>
  new NotVerified('CBOR that is malformed, or that no authenticator writes');

/**
 * Reads one item that begins at an index.
 *
 * @returns the item and the index after it
 * @throws {NotVerified}
 */
export function readCbor(bytes: Uint8Array, start: number, depth = 0): CborItem {
  const initial = bytes[start];
  if (initial === undefined || depth > MAX_DEPTH) throw malformed();
  const major = initial >> 5;
  if (major === 7) return { value: simple(initial), end: start + 1 };
  const { argument, end: after } = readArgument(bytes, start, initial & 31);
  switch (major) {
    case 0:
      return { value: argument, end: after };
    case 1:
      return { value: -1 - argument, end: after };
    case 2:
    case 3: {
      const end = after + argument;
      if (end > bytes.length) throw malformed();
      const content = bytes.subarray(after, end);
      return { value: major === 2 ? content : text(content), end };
    }
    case 4:
      return readArray(bytes, after, argument, depth + 1);
    case 5:
      return readMap(bytes, after, argument, depth + 1);
    default:
      throw malformed();
  }
}

function readArray(bytes: Uint8Array, start: number, length: number, depth: number): CborItem {
  const items: Cbor[] = [];
  let at = start;
  for (let i = 0; i < length; i++) {
    const { value, end } = readCbor(bytes, at, depth);
    items.push(value);
    at = end;
  }
  return { value: items, end: at };
}

function readMap(bytes: Uint8Array, start: number, size: number, depth: number): CborItem {
  const map = new Map<number | string, Cbor>();
  let at = start;
  for (let i = 0; i < size; i++) {
    const { value: name, end: afterName } = readCbor(bytes, at, depth);
    if ((typeof name !== 'number' && typeof name !== 'string') || map.has(name)) throw malformed();
    const { value, end } = readCbor(bytes, afterName, depth);
    map.set(name, value);
    at = end;
  }
  return { value: map, end: at };
}

/** The number of bytes of the argument, by the low bits of the head. */
const ARGUMENT_BYTES: Readonly<Record<number, number>> = { 24: 1, 25: 2, 26: 4 };

/**
 * The argument of an item's head: a value, or a length. Indefinite lengths and 64-bit numbers are
 * not needed here.
 */
function readArgument(
  bytes: Uint8Array,
  start: number,
  info: number,
): { argument: number; end: number } {
  if (info < 24) return { argument: info, end: start + 1 };
  const size = ARGUMENT_BYTES[info];
  if (size === undefined || start + 1 + size > bytes.length) throw malformed();
  let argument = 0;
  for (let at = start + 1; at <= start + size; at++) argument = argument * 256 + (bytes[at] ?? 0);
  return { argument, end: start + 1 + size };
}

function simple(initial: number): Cbor {
  if (initial === 0xf4) return false;
  if (initial === 0xf5) return true;
  if (initial === 0xf6) return null;
  throw malformed();
}

function text(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed();
  }
}
