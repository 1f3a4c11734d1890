/**
 * Compact JWS (RFC 7515 §7.1): three parts, a header of exactly `alg`, `kid` and `typ`, one
 * algorithm per key, one `typ` per kind of token (R1–R4). Everything else (`crit`, `jwk`, `jku`,
 * `x5c`, `zip`, JWE, JSON serialisation) is refused by its form, before a key is looked up.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7515#section-5.2
 * @see https://www.rfc-editor.org/rfc/rfc8725#section-3
 */
import type { KeyObject } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { decodeBase64url, encodeBase64url } from '../lib/base64url.ts';
import { isJsonObject, parseJson } from '../lib/json.ts';
import { keyFault, signBytes, verifyBytes } from './jws-signature.ts';
import type { JwsAlgorithm } from './jws-signature.ts';

export type { JwsAlgorithm } from './jws-signature.ts';

/**
 * Longest token that is verified, in characters (R2): the longest that can be issued, with an RSA
 * signature, 2 KiB of an operator's claims and the longest names, fits. Signing has no limit.
 */
export const MAX_TOKEN_LENGTH = 6_144;

/** Maximum nesting of claims, the same as of request bodies (G3). */
const MAX_PAYLOAD_DEPTH = 8;
const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;
const HEADER_MEMBERS: ReadonlySet<string> = new Set(['alg', 'kid', 'typ']);

export interface JwsKey {
  kid: string;
  alg: JwsAlgorithm;
  /** The kinds of token that this key may be used for; any other `typ` is refused. Default: all. */
  typ?: readonly string[];
  /** The private or secret half; without it the key only verifies. */
  signKey?: KeyObject;
  /** The public or secret half. */
  verifyKey: KeyObject;
  /** The prepared signers of {@link signJws}, by `typ`. A copy of a key does not share them. */
  signers?: { readonly owner: JwsKey; readonly byType: Map<string, JwsSigner> };
}

export type JwsErrorCode = 'malformed' | 'unexpected_type' | 'unknown_key' | 'bad_signature';

/** A token that we did not issue. The message contains nothing of the token. */
export class JwsError extends Error {
  readonly code: JwsErrorCode;

  constructor(code: JwsErrorCode, options?: ErrorOptions) {
    super(`token: ${code}`, options);
    this.name = 'JwsError';
    this.code = code;
  }
}

export type JwsSigner = (payload: object) => string;

/**
 * Prepares signing: checks the key and encodes the header once.
 *
 * @throws TypeError if the key has no private half, is of another kind than its `alg`, is weaker
 *   than D1 allows, or is not for this `typ`
 */
export function createSigner(key: JwsKey, typ: string): JwsSigner {
  const { alg, kid, signKey } = key;
  if (signKey === undefined) throw new TypeError('the key has no private half');
  if (signKey.type === 'public') throw new TypeError('the signing half is public');
  if (key.typ !== undefined && !key.typ.includes(typ))
    throw new TypeError('the key is not for this kind of token');
  const fault = keyFault(alg, signKey);
  if (fault !== undefined) throw new TypeError(`unfit for ${alg}: ${fault}`);
  const prefix = encodeBase64url(JSON.stringify({ alg, kid, typ })) + '.';
  return (payload) => {
    const input = prefix + encodeBase64url(JSON.stringify(payload));
    return `${input}.${signBytes(alg, signKey, Buffer.from(input, 'latin1')).toString('base64url')}`;
  };
}

/**
 * Signs a payload. The signer for each key and type is created once.
 *
 * @throws TypeError see createSigner
 */
export function signJws(key: JwsKey, typ: string, payload: object): string {
  const { signers } = key;
  const known = signers?.owner === key ? signers.byType.get(typ) : undefined;
  const signer = known ?? rememberSigner(key, typ);
  return signer(payload);
}

function rememberSigner(key: JwsKey, typ: string): JwsSigner {
  const signer = createSigner(key, typ);
  if (key.signers?.owner !== key) key.signers = { owner: key, byType: new Map() };
  key.signers.byType.set(typ, signer);
  return signer;
}

/**
 * Verifies form, type, key and signature, in this order, and returns the claims. The caller checks
 * the claims (issuer, audience, times). Deny lists and caches must use `jti` or a digest as their
 * key, never part of the string.
 *
 * @param typ the only `typ` that is accepted
 * @param lookup finds a key by id; use a Map, because the id is untrusted
 * @throws JwsError `malformed`, `unexpected_type`, `unknown_key` (also for an `alg` that is not the
 *   key's), `bad_signature`
 */
export function verifyJws(
  token: string,
  typ: string,
  lookup: (kid: string) => JwsKey | undefined,
): Record<string, unknown> {
  const parts = splitCompact(token);
  const header = parseHeader(parts.header);
  if (header.typ !== typ) throw new JwsError('unexpected_type');
  const key = lookup(header.kid);
  if (key === undefined || key.kid !== header.kid || key.alg !== header.alg)
    throw new JwsError('unknown_key');
  if (key.typ !== undefined && !key.typ.includes(typ)) throw new JwsError('unknown_key');
  const fault = keyFault(key.alg, key.verifyKey);
  if (fault !== undefined)
    throw new JwsError('unknown_key', { cause: new TypeError(`unfit for ${key.alg}: ${fault}`) });
  if (!verifyBytes(key.alg, key.verifyKey, parts.input, parts.signature))
    throw new JwsError('bad_signature');
  return parseObject(parts.payload, MAX_PAYLOAD_DEPTH);
}

/** The parts of a compact JWS in the one form that R2 allows. */
export interface CompactParts {
  /** The first part, undecoded. */
  header: string;
  payload: Buffer;
  signature: Buffer;
  /** The signed bytes: the first two parts with their dot. */
  input: Buffer;
}

/**
 * Checks the form: length, three parts, canonical base64url (T1). It parses no JSON.
 *
 * @throws JwsError `malformed`
 */
export function splitCompact(token: string): CompactParts {
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) throw new JwsError('malformed');
  const [, header, middle, last] = COMPACT.exec(token) ?? [];
  if (header === undefined || middle === undefined || last === undefined)
    throw new JwsError('malformed');
  const payload = decodeBase64url(middle);
  const signature = decodeBase64url(last);
  if (payload === undefined || signature === undefined) throw new JwsError('malformed');
  return {
    header,
    payload,
    signature,
    input: Buffer.from(token.slice(0, header.length + 1 + middle.length), 'latin1'),
  };
}

interface Header {
  alg: string;
  kid: string;
  typ: string;
}

/** A header as it is written here: no name or value has anything to unescape. */
const OWN_HEADER = /^\{"alg":"([\w-]+)","kid":"([\w-]+)","typ":"([\w+.-]+)"\}$/;

/**
 * Reads a header: canonical base64url of a JSON object with exactly `alg`, `kid` and `typ`, all
 * strings.
 *
 * @throws JwsError `malformed`
 */
function parseHeader(segment: string): Header {
  const bytes = decodeBase64url(segment);
  if (bytes === undefined) throw new JwsError('malformed');
  const own = OWN_HEADER.exec(bytes.toString('latin1'));
  if (own !== null) return { alg: own[1] ?? '', kid: own[2] ?? '', typ: own[3] ?? '' };
  const header = parseObject(bytes, 1);
  const { alg, kid, typ } = header;
  // Any other member (`crit`, `b64`, `jwk`, `zip` …) would ask for processing that we don't do
  // (J03, J05).
  const known = Object.keys(header).every((name) => HEADER_MEMBERS.has(name));
  if (!known || typeof alg !== 'string' || typeof kid !== 'string') throw new JwsError('malformed');
  if (typ === undefined) throw new JwsError('unexpected_type');
  if (typeof typ !== 'string') throw new JwsError('malformed');
  return { alg, kid, typ };
}

/** Parses a JSON object from untrusted bytes (J09). */
function parseObject(bytes: Buffer, maxDepth: number): Record<string, unknown> {
  if (!isUtf8(bytes)) throw new JwsError('malformed');
  let value: unknown;
  try {
    value = parseJson(bytes.toString('utf8'), { maxDepth });
  } catch (cause) {
    throw new JwsError('malformed', { cause });
  }
  if (!isJsonObject(value)) throw new JwsError('malformed');
  return value;
}
