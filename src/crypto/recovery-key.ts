/**
 * Secrets sealed to a recovery key whose private half is stored elsewhere: RSA-OAEP with SHA-256
 * (RFC 8017 §7.1), so that openssl alone can open them.
 */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';

const MIN_BITS = 3_072;
const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };

/**
 * @throws {TypeError} it is not an RSA key of at least 3,072 bits; the message does not repeat the
 *   text
 */
function demandRsa(read: () => KeyObject, what: string): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (cause) {
    throw new TypeError(`it is no ${what} in PEM`, { cause });
  }
  if (key.asymmetricKeyType !== 'rsa' || (key.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_BITS)
    throw new TypeError(`it is no RSA key of at least ${MIN_BITS} bits`);
  return key;
}

/** @throws {TypeError} the key can't be used, or the secret is longer than it can hold */
export function sealToRecoveryKey(pem: string, secret: Uint8Array): Buffer {
  if (pem.includes('PRIVATE KEY'))
    throw new TypeError('it is the private key, which must not be given here: give the public one');
  const key = demandRsa(() => createPublicKey(pem), 'public key');
  const room = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8 - 66;
  if (secret.length > room) throw new TypeError(`a secret is longer than its ${room} bytes`);
  return publicEncrypt({ key, ...OAEP }, secret);
}

/** @throws {TypeError} it was sealed to another key, or altered */
export function openWithRecoveryKey(pem: string, sealed: Uint8Array): Buffer {
  const key = demandRsa(() => createPrivateKey(pem), 'private key without a passphrase');
  try {
    return privateDecrypt({ key, ...OAEP }, sealed);
  } catch (cause) {
    throw new TypeError('it was sealed to another recovery key, or altered', { cause });
  }
}
