/**
 * Encryption at rest for secrets that we must read again (TOTP seeds, email contents, private
 * keys): AES-256-GCM, with the key's id, so that keys can rotate, and bound to its place, so that a
 * ciphertext copied to another row, column or table does not open (ASVS 11.3.2–11.3.4). The nonce
 * is 96 random bits: one key may seal 2^32 values (SP 800-38D §8.3).
 *
 * Format: `v1.<key id>.<base64url of nonce ‖ ciphertext ‖ tag>`.
 *
 * @see https://nvlpubs.nist.gov/nistpubs/Legacy/SP/nistspecialpublication800-38d.pdf
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { decodeBase64url } from '../lib/base64url.ts';
import type { Random } from '../lib/id.ts';

const VERSION = 'v1';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FORM = /^v1\.([A-Za-z0-9_-]{11})\.([A-Za-z0-9_-]{38,})$/;

export type SealErrorCode = 'malformed' | 'unknown_key' | 'changed';

/** A sealed value that can't be opened. The message contains neither the value nor the purpose. */
export class SealError extends Error {
  readonly code: SealErrorCode;

  constructor(code: SealErrorCode) {
    super(`sealed value: ${code}`);
    this.name = 'SealError';
    this.code = code;
  }
}

export interface SealKeys {
  /** 32 bytes; seals and opens. */
  current: Uint8Array;
  /** 32 bytes each; these only open. */
  previous: readonly Uint8Array[];
}

export interface Sealer {
  /**
   * Seals bytes for one place.
   *
   * @param purpose names table, column and row, such as `totp.secret:018f…`; opening needs the same
   *   text
   */
  seal(purpose: string, plaintext: Uint8Array): string;
  /**
   * @throws SealError `malformed` for another form, `unknown_key` for a key that is not configured,
   *   `changed` for an altered value or another purpose
   */
  open(purpose: string, sealed: string): Buffer;
  /** Whether it was sealed with the current key; otherwise seal it again when possible. */
  isCurrent(sealed: string): boolean;
}

interface NamedKey {
  id: string;
  key: KeyObject;
}

/**
 * Prepares keys for sealing.
 *
 * @throws TypeError for a key that has not exactly 32 bytes
 */
export function createSealer(keys: SealKeys, random: Random): Sealer {
  const current = nameKey(keys.current);
  const byId = new Map<string, KeyObject>([[current.id, current.key]]);
  for (const bytes of keys.previous) {
    const { id, key } = nameKey(bytes);
    byId.set(id, key);
  }

  return {
    seal(purpose, plaintext) {
      const nonce = random.bytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', current.key, nonce, {
        authTagLength: TAG_BYTES,
      });
      cipher.setAAD(associatedData(current.id, purpose));
      const body = Buffer.concat([
        nonce,
        cipher.update(plaintext),
        cipher.final(),
        cipher.getAuthTag(),
      ]);
      return `${VERSION}.${current.id}.${body.toString('base64url')}`;
    },

    open(purpose, sealed) {
      const [, id, text] = FORM.exec(sealed) ?? [];
      const body = text === undefined ? undefined : decodeBase64url(text);
      if (id === undefined || body === undefined || body.length < NONCE_BYTES + TAG_BYTES)
        throw new SealError('malformed');
      const key = byId.get(id);
      if (key === undefined) throw new SealError('unknown_key');
      const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(associatedData(id, purpose));
      decipher.setAuthTag(body.subarray(-TAG_BYTES));
      // update() returns unauthenticated bytes; nothing leaves this function before final()
      // succeeds.
      const plaintext = decipher.update(body.subarray(NONCE_BYTES, -TAG_BYTES));
      try {
        return Buffer.concat([plaintext, decipher.final()]);
      } catch {
        throw new SealError('changed');
      }
    },

    isCurrent(sealed) {
      return FORM.exec(sealed)?.[1] === current.id;
    },
  };
}

/**
 * Reads a sealing key: exactly 32 random bytes in base64url, base64 or hexadecimal, surrounding
 * white space ignored.
 *
 * @throws Error that says how to make a key and never repeats the input
 */
export function parseSealKey(text: string): Buffer {
  const bytes = decodeKeyText(text.trim());
  if (bytes?.length !== KEY_BYTES) {
    throw new Error(
      'a sealing key is exactly 32 random bytes in base64url, base64 or hex; make one with: openssl rand -base64 32',
    );
  }
  // 32 random bytes have fewer than 16 different values once in 10^16: such a key was typed by
  // hand.
  if (new Set(bytes).size < 16) {
    throw new Error(
      'the sealing key is not random (few different bytes); make one with: openssl rand -base64 32',
    );
  }
  return bytes;
}

function decodeKeyText(text: string): Buffer | undefined {
  if (/^[0-9A-Fa-f]{64}$/.test(text)) return Buffer.from(text, 'hex');
  const urlSafe = text.replaceAll('+', '-').replaceAll('/', '_').replace(/=$/, '');
  return urlSafe.length === 43 ? decodeBase64url(urlSafe) : undefined;
}

/**
 * Derives separate subkeys for encryption and for the id, so that the id reveals nothing of the
 * encryption key.
 */
function nameKey(bytes: Uint8Array): NamedKey {
  if (bytes.length !== KEY_BYTES) throw new TypeError('a sealing key has exactly 32 bytes');
  const id = createHmac('sha256', bytes)
    .update('postern seal key id v1')
    .digest()
    .subarray(0, 8)
    .toString('base64url');
  const key = createSecretKey(
    Buffer.from(hkdfSync('sha256', bytes, '', 'postern seal aes-256-gcm v1', KEY_BYTES)),
  );
  return { id, key };
}

/**
 * Version, key id and purpose. The first two have fixed lengths, so that the encoding is
 * unambiguous.
 */
function associatedData(keyId: string, purpose: string): Buffer {
  if (purpose === '' || !purpose.isWellFormed())
    throw new TypeError('a purpose is a non-empty, well-formed text');
  return Buffer.from(`${VERSION}.${keyId}.${purpose}`, 'utf8');
}
