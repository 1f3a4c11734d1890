/**
 * Parses authenticator data and its key, to the last byte, before other code reads them.
 *
 * @see https://www.w3.org/TR/webauthn-3/#sctn-authenticator-data
 */
import { isSoundPublicJwk } from '../../crypto/public-jwk.ts';
import type { StrangersJwk } from '../../crypto/public-jwk.ts';
import { encodeBase64url } from '../../lib/base64url.ts';
import { readCbor } from './cbor.ts';
import type { Cbor } from './cbor.ts';
import { NotVerified } from './not-verified.ts';

const HEAD_BYTES = 37;
const FLAGS_AT = 32;
const ATTESTED_CREDENTIAL = 0x40;
const EXTENSIONS = 0x80;
/** §5.8.3: the maximum length of a credential id. */
export const MAX_CREDENTIAL_ID_BYTES = 1_023;

/** The COSE algorithms in the options, the preferred one first (RFC 9053 §2, RFC 8812 §2). */
export const ALGORITHMS: readonly number[] = [-7, -8, -257];

/** The credential in the data of a registration. */
export interface AttestedCredential {
  readonly credentialId: string;
  /** The COSE key as received, base64url. */
  readonly publicKey: string;
}

/** @throws {NotVerified} format, length of the id, algorithm, key, or trailing bytes */
export function readAttestedData(data: Uint8Array): AttestedCredential {
  const flags = flagsOf(data);
  if ((flags & ATTESTED_CREDENTIAL) === 0)
    throw new NotVerified('no credential in the authenticator data');
  const idAt = HEAD_BYTES + 18;
  const idLength = ((data[idAt - 2] ?? 0) << 8) | (data[idAt - 1] ?? 0);
  const keyAt = idAt + idLength;
  if (idLength === 0 || idLength > MAX_CREDENTIAL_ID_BYTES || keyAt >= data.length)
    throw new NotVerified('a credential id of a length that none has');
  const { value, end } = readCbor(data, keyAt);
  if (!isSoundPublicJwk(jwkOf(value))) throw new NotVerified('no key: off its curve, or too short');
  demandEnd(data, flags, end);
  return {
    credentialId: encodeBase64url(data.subarray(idAt, keyAt)),
    publicKey: encodeBase64url(data.subarray(keyAt, end)),
  };
}

/** Whether these bytes are one sound key and nothing else, as a passkey of another system has it. */
export function isStoredKey(key: Uint8Array): boolean {
  try {
    const { value, end } = readCbor(key, 0);
    return end === key.length && isSoundPublicJwk(jwkOf(value));
  } catch (error) {
    if (error instanceof NotVerified) return false;
    throw error;
  }
}

/** @throws {NotVerified} format, or trailing bytes */
export function demandAssertionData(data: Uint8Array): void {
  const flags = flagsOf(data);
  // §6.1: assertions contain none, and a parser that reads one there would take its key for the
  // account's.
  if ((flags & ATTESTED_CREDENTIAL) !== 0)
    throw new NotVerified('a credential in the data of an assertion');
  demandEnd(data, flags, HEAD_BYTES);
}

function flagsOf(data: Uint8Array): number {
  if (data.length < HEAD_BYTES) throw new NotVerified('authenticator data that is cut off');
  return data[FLAGS_AT] ?? 0;
}

/** Extension outputs follow if their flag is set, and nothing else. */
function demandEnd(data: Uint8Array, flags: number, at: number): void {
  let end = at;
  if ((flags & EXTENSIONS) !== 0) {
    const extensions = readCbor(data, at);
    if (!(extensions.value instanceof Map))
      throw new NotVerified('extension outputs that are no map');
    end = extensions.end;
  }
  if (end !== data.length) throw new NotVerified('bytes behind the authenticator data');
}

/**
 * The key of a credential. Only the members of its kind, at their size: 32-byte coordinates, and an
 * odd and short exponent.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9053#section-7
 */
function jwkOf(key: Cbor): StrangersJwk {
  if (!(key instanceof Map)) throw new NotVerified('a key that is no map');
  const member = (label: number): unknown => key.get(label);
  const bytes = (label: number): Uint8Array => {
    const value = member(label);
    if (!(value instanceof Uint8Array)) throw new NotVerified('a key with a part missing');
    return value;
  };
  const coordinate = (label: number): string => {
    const value = bytes(label);
    if (value.length !== 32) throw new NotVerified('a coordinate of another length');
    return encodeBase64url(value);
  };
  const kind = `${String(member(1))} ${String(member(3))}`;
  if (kind === '2 -7' && member(-1) === 1 && key.size === 5)
    return { kty: 'EC', crv: 'P-256', x: coordinate(-2), y: coordinate(-3) };
  if (kind === '1 -8' && member(-1) === 6 && key.size === 4)
    return { kty: 'OKP', crv: 'Ed25519', x: coordinate(-2) };
  if (kind === '3 -257' && key.size === 4) {
    const exponent = bytes(-2);
    if (
      exponent.length > 4 ||
      ((exponent.at(-1) ?? 0) & 1) === 0 ||
      (exponent.length === 1 && exponent[0] === 1)
    )
      throw new NotVerified('an exponent that no key has');
    return { kty: 'RSA', n: encodeBase64url(bytes(-1)), e: encodeBase64url(exponent) };
  }
  throw new NotVerified('an algorithm that was not offered');
}
