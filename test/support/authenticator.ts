/**
 * An authenticator with its browser, played by the test: it makes credentials and assertions, and
 * lies wherever it is told to. Its counters, keys and handles are its own; what it signs is what
 * WebAuthn L3 §6.3 says.
 */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { encodeCBOR } from '@levischuck/tiny-cbor';
import type { CBORType } from '@levischuck/tiny-cbor';

export const ORIGIN = 'https://auth.example.com';
export const RP_ID = 'auth.example.com';

export type KeyAlgorithm = 'ES256' | 'EdDSA' | 'RS256';

export interface MadeCredential {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly cose: Uint8Array;
  readonly userHandle: string | undefined;
  readonly isBackupEligible: boolean;
  counter: number;
}

/** Where it may differ from an honest one. */
export interface Lies {
  readonly origin?: string;
  readonly rpId?: string;
  readonly type?: string;
  readonly challenge?: string;
  readonly crossOrigin?: unknown;
  readonly topOrigin?: unknown;
  /**
   * Flags: user present (true), user verified (true), backup eligible (false), backed up (false).
   */
  readonly up?: boolean;
  readonly uv?: boolean;
  readonly be?: boolean;
  readonly bs?: boolean;
  /** Further flag bits. */
  readonly flags?: number;
  readonly counter?: number;
  /** Bytes behind the authenticator data. */
  readonly behind?: Uint8Array;
  /** The text of the client data, instead of the one that follows from the others. */
  readonly clientData?: string | Uint8Array;
}

export interface CreationLies extends Lies {
  readonly algorithm?: KeyAlgorithm;
  readonly modulusLength?: number;
  readonly id?: Uint8Array;
  /** The COSE key as it is written. */
  readonly cose?: Uint8Array;
  readonly fmt?: string;
  readonly attStmt?: Map<string, CBORType>;
  /** The whole attestation object. */
  readonly attestationObject?: Uint8Array;
  readonly transports?: readonly string[];
}

export interface AssertionLies extends Lies {
  readonly userHandle?: string | null;
  readonly signature?: Uint8Array;
}

interface CreationOptions {
  readonly challenge: string;
  readonly user: { readonly id: string };
}
interface RequestOptions {
  readonly challenge: string;
}

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** Keys are made once a kind: RSA takes a while. */
const rsaKeys = new Map<number, { publicKey: KeyObject; privateKey: KeyObject }>();

function keyPair(
  algorithm: KeyAlgorithm,
  modulusLength: number,
): { publicKey: KeyObject; privateKey: KeyObject } {
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519');
  const known = rsaKeys.get(modulusLength) ?? generateKeyPairSync('rsa', { modulusLength });
  rsaKeys.set(modulusLength, known);
  return known;
}

/** The COSE form of a key (RFC 9053). */
export function coseOf(publicKey: KeyObject): Uint8Array {
  const { kty, x = '', y = '', n = '', e = '' } = publicKey.export({ format: 'jwk' });
  const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64url'));
  if (kty === 'EC')
    return encodeCBOR(
      new Map<number, CBORType>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, bytes(x)],
        [-3, bytes(y)],
      ]),
    );
  if (kty === 'OKP')
    return encodeCBOR(
      new Map<number, CBORType>([
        [1, 1],
        [3, -8],
        [-1, 6],
        [-2, bytes(x)],
      ]),
    );
  return encodeCBOR(
    new Map<number, CBORType>([
      [1, 3],
      [3, -257],
      [-1, bytes(n)],
      [-2, bytes(e)],
    ]),
  );
}

function clientData(type: string, challenge: string, lies: Lies): Buffer {
  if (lies.clientData !== undefined) return Buffer.from(lies.clientData);
  const { crossOrigin = false, topOrigin } = lies;
  return Buffer.from(
    JSON.stringify({
      type: lies.type ?? type,
      challenge: lies.challenge ?? challenge,
      origin: lies.origin ?? ORIGIN,
      crossOrigin,
      ...(topOrigin === undefined ? {} : { topOrigin }),
    }),
  );
}

/** The head of authenticator data: hash, flags, counter. */
function head(lies: Lies, counter: number, more: number): Buffer {
  const { up = true, uv = true, be = false, bs = false, flags = 0 } = lies;
  const bytes = Buffer.alloc(37);
  createHash('sha256')
    .update(lies.rpId ?? RP_ID)
    .digest()
    .copy(bytes);
  bytes[32] = (up ? 1 : 0) | (uv ? 4 : 0) | (be ? 8 : 0) | (bs ? 16 : 0) | flags | more;
  bytes.writeUInt32BE(lies.counter ?? counter, 33);
  return bytes;
}

/** Makes a credential, and what the browser says of it. */
export function create(
  options: CreationOptions,
  lies: CreationLies = {},
): { made: MadeCredential; credential: ReturnType<typeof creationJson> } {
  const { publicKey, privateKey } = keyPair(lies.algorithm ?? 'ES256', lies.modulusLength ?? 2_048);
  const id = lies.id ?? randomBytes(32);
  const cose = lies.cose ?? coseOf(publicKey);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(id.length);
  const counter = lies.counter ?? 0;
  const data = Buffer.concat([
    head(lies, counter, 0x40),
    Buffer.alloc(16),
    length,
    id,
    cose,
    lies.behind ?? Buffer.alloc(0),
  ]);
  const attestation =
    lies.attestationObject ??
    encodeCBOR(
      new Map<string, CBORType>([
        ['fmt', lies.fmt ?? 'none'],
        ['attStmt', lies.attStmt ?? new Map<string, CBORType>()],
        ['authData', Uint8Array.from(data)],
      ]),
    );
  const made: MadeCredential = {
    id: base64url(id),
    privateKey,
    cose,
    userHandle: options.user.id,
    isBackupEligible: lies.be ?? false,
    counter,
  };
  return {
    made,
    credential: creationJson(
      made.id,
      clientData('webauthn.create', options.challenge, lies),
      attestation,
      lies.transports ?? ['internal'],
    ),
  };
}

function creationJson(
  id: string,
  clientDataJSON: Uint8Array,
  attestationObject: Uint8Array,
  transports: readonly string[],
) {
  return {
    id,
    rawId: id,
    type: 'public-key' as const,
    response: {
      clientDataJSON: base64url(clientDataJSON),
      attestationObject: base64url(attestationObject),
      transports: [...transports],
    },
    authenticatorAttachment: 'platform',
    clientExtensionResults: { credProps: { rk: true } },
  };
}

/** Signs a challenge. An honest one counts up, if it counts at all. */
export function assert(made: MadeCredential, options: RequestOptions, lies: AssertionLies = {}) {
  if (made.counter > 0 && lies.counter === undefined) made.counter += 1;
  const data = Buffer.concat([
    head({ be: made.isBackupEligible, ...lies }, made.counter, 0),
    lies.behind ?? Buffer.alloc(0),
  ]);
  const client = clientData('webauthn.get', options.challenge, lies);
  const signed = Buffer.concat([data, createHash('sha256').update(client).digest()]);
  const signature =
    lies.signature ??
    sign(
      made.privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256',
      signed,
      made.privateKey,
    );
  const userHandle = lies.userHandle === undefined ? made.userHandle : lies.userHandle;
  return {
    id: made.id,
    rawId: made.id,
    type: 'public-key' as const,
    response: {
      clientDataJSON: base64url(client),
      authenticatorData: base64url(data),
      signature: base64url(signature),
      ...(userHandle === undefined ? {} : { userHandle }),
    },
    authenticatorAttachment: 'platform',
    clientExtensionResults: {},
  };
}
