/**
 * Checkpoints of the audit log as signed notes, which tools of transparency logs read.
 *
 * @see https://c2sp.org/tlog-checkpoint
 * @see https://c2sp.org/signed-note
 */
import { createHash, createPrivateKey, createPublicKey, hkdfSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

export interface Checkpoint {
  /** Rows of the tree. */
  readonly size: number;
  readonly root: Uint8Array;
}

export interface CheckpointKey {
  /** The name of the log: the issuer without its scheme, and `/audit`. */
  readonly origin: string;
  /** The public key as others keep it: `NAME+HASH+KEY`. */
  readonly verifierKey: string;
  sign(checkpoint: Checkpoint): string;
}

/** The DER of an Ed25519 private key before its 32 bytes (RFC 8410 §7). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const ED25519 = Buffer.of(1);
const ID_BYTES = 4;

function originOf(issuer: string): string {
  return `${issuer.replace(/^[a-z]+:\/\//, '')}/audit`;
}

function keyId(name: string, publicKey: Uint8Array): Buffer {
  const text = Buffer.concat([Buffer.from(`${name}\n`), ED25519, publicKey]);
  return createHash('sha256').update(text).digest().subarray(0, ID_BYTES);
}

const textOf = (origin: string, { size, root }: Checkpoint): string =>
  `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`;

/** @param derivedKey a key of the ring that survives rotation and withdrawal */
export function createCheckpointKey(derivedKey: KeyObject, issuer: string): CheckpointKey {
  const info = 'postern audit checkpoints';
  const seed = Buffer.from(hkdfSync('sha256', derivedKey, Buffer.alloc(0), info, 32));
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = createPublicKey(key)
    .export({ format: 'der', type: 'spki' })
    .subarray(SPKI.length);
  const origin = originOf(issuer);
  const id = keyId(origin, publicKey);
  return {
    origin,
    verifierKey: `${origin}+${id.toString('hex')}+${Buffer.concat([ED25519, publicKey]).toString('base64')}`,
    sign: (checkpoint) => {
      const text = textOf(origin, checkpoint);
      const signature = Buffer.concat([id, sign(null, Buffer.from(text), key)]).toString('base64');
      return `${text}\n\u2014 ${origin} ${signature}\n`;
    },
  };
}

export type ReadNote =
  | { readonly kind: 'valid'; readonly checkpoint: Checkpoint }
  | { readonly kind: 'malformed' | 'other_key' | 'forged' };

const NOTE =
  /^([^\n]+)\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{43}=)\n\n((?:\u2014 [^\s+]+ [A-Za-z0-9+/=]+\n)+)$/u;
const VERIFIER_KEY = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/;

/** Reads a note, and checks its signature by the key of a verifier key. */
export function readNote(note: string, verifierKey: string): ReadNote {
  const [, name = '', , encoded = ''] = VERIFIER_KEY.exec(verifierKey) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  const publicKey = bytes.subarray(1);
  const [, origin = '', size = '', root = '', signatures = ''] =
    NOTE.exec(note.replace(/\r\n/g, '\n').replace(/\n*$/, '\n')) ?? [];
  if (origin === '' || publicKey.length !== 32) return { kind: 'malformed' };
  const id = keyId(name, publicKey);
  const own = signatures
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, signer]) => signer === name)
    .map(([, , signature = '']) => Buffer.from(signature, 'base64'))
    .find((signature) => signature.subarray(0, ID_BYTES).equals(id));
  if (own === undefined || origin !== name) return { kind: 'other_key' };
  const checkpoint = { size: Number(size), root: Buffer.from(root, 'base64') };
  const key = createPublicKey({
    key: Buffer.concat([SPKI, publicKey]),
    format: 'der',
    type: 'spki',
  });
  const isRight = verify(
    null,
    Buffer.from(textOf(origin, checkpoint)),
    key,
    own.subarray(ID_BYTES),
  );
  return isRight ? { kind: 'valid', checkpoint } : { kind: 'forged' };
}
