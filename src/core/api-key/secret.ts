/**
 * The secret of an API key: 256 random bits with a prefix that secret scanners can search for. It
 * is shown once as `id:secret`, the format of `curl -u` and of the header Postern-Key.
 */
import { constantTimeEqual, hashSecret, randomToken } from '../../crypto/secret.ts';
import { isId } from '../../lib/id.ts';
import type { Random } from '../../lib/id.ts';

const SECRET = /^psk_[A-Za-z0-9_-]{43}$/;

/** Presented credentials: the id is public, the secret is not. */
export interface PresentedApiKey {
  readonly id: string;
  readonly secret: string;
}

export function newApiKeySecret(random: Random): string {
  return `psk_${randomToken(random)}`;
}

/** The key in the format in which its owner stores it. */
export function apiKeyText({ id, secret }: PresentedApiKey): string {
  return `${id}:${secret}`;
}

/** Whether presented credentials are well-formed; otherwise nothing else is checked. */
export function isApiKeyForm({ id, secret }: PresentedApiKey): boolean {
  return isId(id) && SECRET.test(secret);
}

/** Compares in constant time, even when the key does not exist. */
export function isApiKeySecret(secret: string, storedHash: string | null): boolean {
  return constantTimeEqual(hashSecret(secret), storedHash ?? '');
}
