/**
 * The secret of an API key: 256 random bits behind a prefix that secret scanners can look for. It is
 * shown once as `id:secret`, which is what `curl -u` and the header Postern-Key take.
 */
import { constantTimeEqual, hashSecret, randomToken } from '../../crypto/secret.ts';
import { isId } from '../../lib/id.ts';
import type { Random } from '../../lib/id.ts';

const SECRET = /^psk_[A-Za-z0-9_-]{43}$/;

/** What a caller presents: the id is public, the secret is not. */
export interface PresentedApiKey {
  readonly id: string;
  readonly secret: string;
}

export function newApiKeySecret(random: Random): string {
  return `psk_${randomToken(random)}`;
}

/** The key as its owner keeps it. */
export function apiKeyText({ id, secret }: PresentedApiKey): string {
  return `${id}:${secret}`;
}

/** Whether a presented key has the form of one, so that nothing else is looked up. */
export function isApiKeyForm({ id, secret }: PresentedApiKey): boolean {
  return isId(id) && SECRET.test(secret);
}

/** Compares in constant time; a key that does not exist is compared too. */
export function isApiKeySecret(secret: string, storedHash: string | null): boolean {
  return constantTimeEqual(hashSecret(secret), storedHash ?? '');
}
