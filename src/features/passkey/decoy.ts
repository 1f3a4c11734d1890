/**
 * Credentials of nobody: what a name gets that has no passkey, so that the options of a sign-in
 * don't tell which names have one (E04). They follow from the name and a key, so they are the same
 * tomorrow, and after a restart. Their ids carry a keyed tag, so that the service knows its own
 * when one comes back, and treats it as it treats a real one.
 */
import { createHmac } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { constantTimeEqual } from '../../crypto/secret.ts';
import { decodeBase64url, encodeBase64url } from '../../lib/base64url.ts';

/** A credential as options name it. */
export interface Descriptor {
  readonly id: string;
  readonly transports: readonly string[];
}

/** Ids and transports of authenticators that people have, as often as they are met, roughly. */
const MAKES: readonly { readonly bytes: number; readonly transports: readonly string[] }[] = [
  { bytes: 20, transports: ['hybrid', 'internal'] },
  { bytes: 20, transports: ['hybrid', 'internal'] },
  { bytes: 16, transports: ['hybrid', 'internal'] },
  { bytes: 16, transports: ['hybrid', 'internal'] },
  { bytes: 32, transports: ['internal'] },
  { bytes: 32, transports: ['hybrid', 'internal'] },
  { bytes: 48, transports: ['nfc', 'usb'] },
  { bytes: 64, transports: ['usb'] },
];
const LENGTHS: ReadonlySet<number> = new Set(MAKES.map(({ bytes }) => bytes));

const TAG_BYTES = 8;

function tagOf(key: KeyObject, nonce: Uint8Array): Buffer {
  return createHmac('sha256', key)
    .update('postern decoy tag\n')
    .update(nonce)
    .digest()
    .subarray(0, TAG_BYTES);
}

/** One or two credentials for a canonical name: always the same ones. */
export function decoysFor(key: KeyObject, canonical: string): readonly Descriptor[] {
  const seed = (label: string): Buffer =>
    createHmac('sha512', key).update(`postern decoy ${label}\n${canonical}`).digest();
  const choices = seed('choices');
  // Most people have one; both are made, for the same work.
  const decoys = [0, 1].map((index) => {
    const make = MAKES[(choices[index + 1] ?? 0) % MAKES.length];
    if (make === undefined) throw new Error('no make');
    const nonce = seed(`id ${index}`).subarray(0, make.bytes - TAG_BYTES);
    return {
      id: encodeBase64url(Buffer.concat([nonce, tagOf(key, nonce)])),
      transports: make.transports,
    };
  });
  return decoys.slice(0, (choices[0] ?? 0) % 4 === 0 ? 2 : 1);
}

/** Whether an id is one of ours for nobody. */
export function isDecoy(key: KeyObject, credentialId: string): boolean {
  const bytes = decodeBase64url(credentialId);
  if (bytes === undefined || !LENGTHS.has(bytes.length)) return false;
  const nonce = bytes.subarray(0, bytes.length - TAG_BYTES);
  return constantTimeEqual(
    encodeBase64url(bytes.subarray(nonce.length)),
    encodeBase64url(tagOf(key, nonce)),
  );
}
