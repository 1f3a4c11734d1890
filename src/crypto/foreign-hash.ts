/**
 * Password hashes of other systems, spelled as Ory Kratos imports them. They come from a file or a
 * stranger's database: each form is read strictly, and a cost that could occupy a lane for long is
 * refused before any work (P08), at the import and again at each comparison.
 *
 * @see https://www.ory.com/docs/kratos/manage-identities/import-user-accounts-identities
 */
import type { InnerDigest } from './wrapped-hash.ts';
import { DIGEST_BYTES, isDigestName } from './wrapped-hash.ts';

/** A slow hash: kept as it is, and replaced after the first match. */
export type SlowHash =
  | { readonly kind: 'bcrypt'; readonly hash: string }
  | {
      readonly kind: 'argon2i';
      readonly memoryKiB: number;
      readonly passes: number;
      readonly lanes: number;
      readonly salt: Uint8Array;
      readonly expected: Uint8Array;
    }
  | {
      readonly kind: 'pbkdf2';
      readonly digest: string;
      readonly iterations: number;
      readonly salt: Uint8Array;
      readonly expected: Uint8Array;
    }
  | {
      readonly kind: 'scrypt';
      readonly cost: number;
      readonly block: number;
      readonly parallel: number;
      readonly salt: Uint8Array;
      readonly expected: Uint8Array;
      /** Firebase encrypts this key of the project with the derived one; null for plain scrypt. */
      readonly signerKey: Uint8Array | null;
    };

/** A fast hash, to be wrapped: what computes it, and its value. */
export interface FastHash {
  readonly kind: 'fast';
  readonly inner: InnerDigest;
  readonly value: Uint8Array;
}

export type ForeignHash = SlowHash | FastHash;
type Read = ForeignHash | 'malformed' | 'cost';

const KIB = 1_024;
const MAX_TEXT = 1_024;
/** Salts and keys that are longer belong to no system. */
const MAX_BYTES = 256;
/** What a guess at random could hit is no hash. */
const MIN_VALUE_BYTES = 16;
const MAX_VALUE_BYTES = 128;

const MAX_BCRYPT_COST = 14;
const MIN_BCRYPT_COST = 4;
const MAX_ITERATIONS = 2_000_000;
/** PBKDF2 with fewer iterations is as good as fast. */
const SLOW_ITERATIONS = 10_000;
const MAX_SCRYPT_BYTES = 64 * KIB * KIB;
/** Memory × parallelism: p runs one after another. */
const MAX_SCRYPT_WORK = 8 * MAX_SCRYPT_BYTES;
const MAX_ARGON2_KIB = 256 * KIB;
const MAX_ARGON2_PASSES = 10;
const MAX_LANES = 16;

/** Whether an argon2 cost may come from elsewhere. */
export function isImportable(cost: {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}): boolean {
  const { memoryKiB, passes, lanes } = cost;
  return (
    lanes >= 1 &&
    lanes <= MAX_LANES &&
    passes >= 1 &&
    passes <= MAX_ARGON2_PASSES &&
    memoryKiB >= 8 * lanes &&
    memoryKiB <= MAX_ARGON2_KIB
  );
}

/**
 * The work of a comparison as KiB that argon2 fills once, roughly: for the time that a mismatch
 * owes.
 */
export function workKiB(hash: SlowHash): number {
  switch (hash.kind) {
    case 'bcrypt':
      return 256 * 2 ** Number(hash.hash.slice(4, 6));
    case 'argon2i':
      return hash.memoryKiB * hash.passes;
    case 'pbkdf2':
      return 2 * hash.iterations;
    case 'scrypt':
      return hash.cost * hash.block * hash.parallel;
  }
}

/** Standard base64, with or without its padding; undefined for another text. */
function bytesOf(text: string | undefined, most = MAX_BYTES): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const bytes = Buffer.from(text, 'base64');
  const same = bytes.toString('base64').replace(/=+$/, '') === text.replace(/={1,2}$/, '');
  // A copy: posting a view to a lane would send its whole underlying buffer.
  return same && bytes.length <= most ? new Uint8Array(bytes) : undefined;
}

const hashBytes = (text: string | undefined): Uint8Array | undefined => {
  const value = bytesOf(text, MAX_VALUE_BYTES);
  return value !== undefined && value.length >= MIN_VALUE_BYTES ? value : undefined;
};

function readBcrypt(text: string): Read {
  const [, cost] = /^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$/.exec(text) ?? [];
  if (cost === undefined || Number(cost) < MIN_BCRYPT_COST) return 'malformed';
  return Number(cost) > MAX_BCRYPT_COST ? 'cost' : { kind: 'bcrypt', hash: text };
}

function readArgon2i(text: string): Read {
  const form =
    /^\$argon2i\$v=19\$m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,9})\$([^$]+)\$([^$]+)$/;
  const [, memory, passes, lanes, saltText, valueText] = form.exec(text) ?? [];
  const salt = bytesOf(saltText);
  const expected = hashBytes(valueText);
  if (salt === undefined || salt.length < 8 || expected === undefined) return 'malformed';
  const cost = { memoryKiB: Number(memory), passes: Number(passes), lanes: Number(lanes) };
  return isImportable(cost) ? { kind: 'argon2i', ...cost, salt, expected } : 'cost';
}

function readPbkdf2(text: string): Read {
  const form = /^\$pbkdf2-(sha\d{1,3})\$i=([1-9]\d{0,9})(?:,l=\d{1,4})?\$([^$]+)\$([^$]+)$/;
  const [, digest = '', count, saltText, valueText] = form.exec(text) ?? [];
  const salt = bytesOf(saltText);
  const expected = hashBytes(valueText);
  if (!isDigestName(digest) || salt === undefined || expected === undefined) return 'malformed';
  const iterations = Number(count);
  if (iterations > MAX_ITERATIONS) return 'cost';
  if (iterations >= SLOW_ITERATIONS) return { kind: 'pbkdf2', digest, iterations, salt, expected };
  const { length } = expected;
  const inner = { kind: 'pbkdf2', digest, salt, iterations, length } as const;
  return { kind: 'fast', inner, value: expected };
}

/** N itself as Kratos writes it, or its logarithm as the PHC format does: neither looks like both. */
function scryptCost(ln: number): number {
  return ln < 32 ? 2 ** ln : ln;
}

interface ScryptText {
  readonly ln: string | undefined;
  readonly block: string | undefined;
  readonly parallel: string | undefined;
}

function scryptNumbers(
  text: ScryptText,
): { cost: number; block: number; parallel: number } | 'malformed' | 'cost' {
  const cost = scryptCost(Number(text.ln));
  const block = Number(text.block);
  const parallel = Number(text.parallel);
  if (!Number.isInteger(Math.log2(cost)) || cost < 2) return 'malformed';
  const bytes = 128 * cost * block;
  if (bytes > MAX_SCRYPT_BYTES || bytes * parallel > MAX_SCRYPT_WORK) return 'cost';
  return { cost, block, parallel };
}

const SCRYPT = 'ln=([1-9]\\d{0,8}),r=([1-9]\\d{0,3}),p=([1-9]\\d{0,3})';

function readScrypt(text: string): Read {
  const form = new RegExp(`^\\$scrypt\\$${SCRYPT}\\$([^$]+)\\$([^$]+)$`);
  const [, ln, block, parallel, saltText, valueText] = form.exec(text) ?? [];
  const salt = bytesOf(saltText);
  const expected = hashBytes(valueText);
  if (salt === undefined || expected === undefined) return 'malformed';
  const numbers = scryptNumbers({ ln, block, parallel });
  return typeof numbers === 'string'
    ? numbers
    : { kind: 'scrypt', ...numbers, salt, expected, signerKey: null };
}

function readFirescrypt(text: string): Read {
  const form = new RegExp(`^\\$firescrypt\\$${SCRYPT}\\$([^$]*)\\$([^$]+)\\$([^$]*)\\$([^$]+)$`);
  const [, ln, block, parallel, saltText, valueText, separatorText, keyText] =
    form.exec(text) ?? [];
  const salt = bytesOf(saltText);
  const separator = bytesOf(separatorText);
  const signerKey = hashBytes(keyText);
  const expected = hashBytes(valueText);
  if (salt === undefined || separator === undefined || signerKey === undefined) return 'malformed';
  if (expected === undefined || expected.length !== signerKey.length) return 'malformed';
  const numbers = scryptNumbers({ ln, block, parallel });
  if (typeof numbers === 'string') return numbers;
  const salted = new Uint8Array([...salt, ...separator]);
  return { kind: 'scrypt', ...numbers, salt: salted, expected, signerKey };
}

function readSsha(text: string): Read {
  const [, bits = '1', body] = /^\{SSHA(256|384|512)?\}([^$]+)$/.exec(text) ?? [];
  const bytes = bytesOf(body);
  const digest = `sha${bits}`;
  if (!isDigestName(digest) || bytes === undefined) return 'malformed';
  const length = DIGEST_BYTES[digest];
  if (bytes.length <= length) return 'malformed';
  const after = bytes.slice(length);
  const inner = { kind: 'digest', digest, before: new Uint8Array(), after } as const;
  return { kind: 'fast', inner, value: bytes.slice(0, length) };
}

const PLACES = /\{SALT\}|\{PASSWORD\}/;

/** What stands before and after the password in a salting format; null unless it stands there once. */
function around(format: Uint8Array, salt: Uint8Array): [Uint8Array, Uint8Array] | null {
  const parts = Buffer.from(format).toString('latin1').split('{PASSWORD}');
  const [before, after] = parts.map((part) => {
    const filled = part.split('{SALT}').join(Buffer.from(salt).toString('latin1'));
    return new Uint8Array(Buffer.from(filled, 'latin1'));
  });
  return parts.length === 2 && before !== undefined && after !== undefined ? [before, after] : null;
}

function readDigest(text: string): Read {
  const form = /^\$(md5|sha\d{1,3})\$(?:pf=([^$]+)\$([^$]*)\$)?([^$]+)$/;
  const [, digest = '', formatText, saltText, valueText] = form.exec(text) ?? [];
  const value = hashBytes(valueText);
  if (!isDigestName(digest) || value?.length !== DIGEST_BYTES[digest]) return 'malformed';
  const format = formatText === undefined ? Buffer.from('{PASSWORD}') : bytesOf(formatText);
  const salt = saltText === undefined ? new Uint8Array() : bytesOf(saltText);
  if (format === undefined || salt === undefined || PLACES.test(latin1(salt))) return 'malformed';
  const sides = around(format, salt);
  if (sides === null) return 'malformed';
  const [before, after] = sides;
  return { kind: 'fast', inner: { kind: 'digest', digest, before, after }, value };
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** Kratos writes the base64 of the hexadecimal digits; the bytes themselves are taken too. */
function hmacValue(text: string | undefined, length: number): Uint8Array | undefined {
  const bytes = bytesOf(text);
  if (bytes?.length === length) return bytes;
  if (bytes?.length !== 2 * length) return undefined;
  const digits = latin1(bytes);
  return /^[0-9a-fA-F]+$/.test(digits) ? new Uint8Array(Buffer.from(digits, 'hex')) : undefined;
}

function readHmac(text: string): Read {
  const form = /^\$hmac-(md5|sha\d{1,3})\$([^$]+)\$([^$]+)$/;
  const [, digest = '', valueText, keyText] = form.exec(text) ?? [];
  if (!isDigestName(digest)) return 'malformed';
  const value = hmacValue(valueText, DIGEST_BYTES[digest]);
  const key = bytesOf(keyText);
  if (value === undefined || key === undefined) return 'malformed';
  return { kind: 'fast', inner: { kind: 'hmac', digest, key }, value };
}

/** By the beginning of the text. */
const READERS: readonly (readonly [RegExp, (text: string) => Read])[] = [
  [/^\$2/, readBcrypt],
  [/^\$argon2i\$/, readArgon2i],
  [/^\$pbkdf2-/, readPbkdf2],
  [/^\$scrypt\$/, readScrypt],
  [/^\$firescrypt\$/, readFirescrypt],
  [/^\{SSHA/, readSsha],
  [/^\$(?:md5|sha)/, readDigest],
  [/^\$hmac-/, readHmac],
];

/** Reads a hash of another system; argon2id is this service's own form (phc.ts). */
export function parseForeign(text: string): Read {
  if (text.length > MAX_TEXT) return 'malformed';
  const [, read] = READERS.find(([begin]) => begin.test(text)) ?? [];
  return read === undefined ? 'malformed' : read(text);
}
