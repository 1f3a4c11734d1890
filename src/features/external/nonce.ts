/**
 * Nonces of ID tokens. Nothing is stored until one is used: a nonce is a random id and a time under
 * a keyed hash, good for one ID token within ten minutes (OpenID Connect Core §15.5.2).
 */
import { createHash } from 'node:crypto';
import type { Kernel } from '../../core/kernel.ts';
import { keyedHash } from '../../crypto/keyed-hash.ts';
import { constantTimeEqual } from '../../crypto/secret.ts';
import { encodeBase64url } from '../../lib/base64url.ts';

export const NONCE_TTL_SECONDS = 600;

const FORM = /^n1\.([A-Za-z0-9_-]{22})\.([0-9a-z]{6,8})\.([A-Za-z0-9_-]{43})$/;

const tagOf = ({ signingKeys }: Kernel, provider: string, id: string, until: string): string =>
  keyedHash(signingKeys.derivedKey, 'external nonce', provider, id, until);

/** A nonce for one sign-in at this provider. */
export function newNonce(kernel: Kernel, provider: string): string {
  const id = encodeBase64url(kernel.random.bytes(16));
  const until = (Math.floor(kernel.clock.now() / 1000) + NONCE_TTL_SECONDS).toString(36);
  return `n1.${id}.${until}.${tagOf(kernel, provider, id, until)}`;
}

/** The id of a nonce that was made here for this provider and has not expired; else null. */
export function nonceId(kernel: Kernel, provider: string, nonce: string): string | null {
  const [, id = '', until = '', tag = ''] = FORM.exec(nonce) ?? [];
  if (id === '' || !constantTimeEqual(tag, tagOf(kernel, provider, id, until))) return null;
  return Number.parseInt(until, 36) * 1000 > kernel.clock.now() ? id : null;
}

/**
 * Whether an ID token has this nonce: as it is, or as its SHA-256 in hexadecimal digits, which is
 * what Apple's libraries for iOS are usually given.
 */
export function hasNonce(claim: unknown, nonce: string): boolean {
  if (typeof claim !== 'string') return false;
  const hashed = createHash('sha256').update(nonce).digest('hex');
  return constantTimeEqual(claim, nonce) || constantTimeEqual(claim, hashed);
}
