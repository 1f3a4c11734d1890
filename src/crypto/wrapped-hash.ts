/**
 * A fast hash of another system inside argon2id: `$over$KIND-DIGEST$PARAMETERS$argon2id$…`. argon2
 * gets the hexadecimal digits of the fast hash as its password, so that the database holds nothing
 * that can be guessed fast (ASVS 11.4.2), and the user need not be there for it.
 */
import { decodeBase64url } from '../lib/base64url.ts';

export const DIGEST_BYTES = {
  md5: 16,
  sha1: 20,
  sha224: 28,
  sha256: 32,
  sha384: 48,
  sha512: 64,
} as const;

export type DigestName = keyof typeof DIGEST_BYTES;

export function isDigestName(text: string): text is DigestName {
  return Object.hasOwn(DIGEST_BYTES, text);
}

/** How the fast hash is computed. */
export type InnerDigest =
  | {
      readonly kind: 'digest';
      readonly digest: DigestName;
      /** What is hashed before and after the password. */
      readonly before: Uint8Array;
      readonly after: Uint8Array;
    }
  | { readonly kind: 'hmac'; readonly digest: DigestName; readonly key: Uint8Array }
  | {
      readonly kind: 'pbkdf2';
      readonly digest: DigestName;
      readonly salt: Uint8Array;
      readonly iterations: number;
      readonly length: number;
    };

export interface WrappedHash {
  readonly inner: InnerDigest;
  /** The argon2id part, which begins with `$argon2id$`. */
  readonly outer: string;
}

const MAX_TEXT = 2_048;
const FORM = /^\$over\$(digest|hmac|pbkdf2)-([a-z0-9]+)\$([A-Za-z0-9_.-]*)(\$argon2id\$.+)$/;
const MAX_ITERATIONS = 10_000;
const MAX_LENGTH = 128;

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

function parametersOf(inner: InnerDigest): string {
  switch (inner.kind) {
    case 'digest':
      return `${text(inner.before)}.${text(inner.after)}`;
    case 'hmac':
      return text(inner.key);
    case 'pbkdf2':
      return `${text(inner.salt)}.${inner.iterations}.${inner.length}`;
  }
}

/** The stored form; `outer` is the argon2id hash of the digits. */
export function formatWrapped({ inner, outer }: WrappedHash): string {
  return `$over$${inner.kind}-${inner.digest}$${parametersOf(inner)}${outer}`;
}

/** What argon2 is given for the password. */
export function digitsOf(value: Uint8Array): string {
  return Buffer.from(value).toString('hex');
}

function innerOf(
  kind: string,
  digest: DigestName,
  [first = '', second, third]: readonly string[],
): InnerDigest | null {
  const bytes = [first, kind === 'digest' ? (second ?? '') : ''].map(decodeBase64url);
  const [before, after] = bytes.map((one) => one && new Uint8Array(one));
  if (before === undefined || after === undefined) return null;
  if (kind === 'digest') return { kind, digest, before, after };
  if (kind === 'hmac') return { kind, digest, key: before };
  const iterations = Number(second);
  const length = Number(third);
  const isWhole = Number.isInteger(iterations) && Number.isInteger(length);
  if (!isWhole || iterations < 1 || iterations > MAX_ITERATIONS) return null;
  if (length < 1 || length > MAX_LENGTH) return null;
  return { kind: 'pbkdf2', digest, salt: before, iterations, length };
}

/** Null for another form. */
export function parseWrapped(stored: string): WrappedHash | null {
  if (stored.length > MAX_TEXT) return null;
  const [, kind, digest = '', parameters = '', outer] = FORM.exec(stored) ?? [];
  if (kind === undefined || outer === undefined || !isDigestName(digest)) return null;
  const inner = innerOf(kind, digest, parameters.split('.'));
  return inner === null ? null : { inner, outer };
}
