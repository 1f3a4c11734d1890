/** What an ID token proves: a provider's user, for a request that began here. */
import type { Kernel } from '../../core/kernel.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
import { Refusal } from '../../refusal.ts';
import { hasNonce, nonceId } from './nonce.ts';
import { NOT_ACCEPTED } from './provider.ts';
import type { Provider } from './provider.ts';

export interface ProofInput {
  readonly idToken: string;
  readonly nonce: string;
}

export interface IdentityProof {
  readonly issuer: string;
  readonly subject: string;
  /** The address that the provider names, verified by it or not. */
  readonly email: string | null;
  /** Whether the provider calls it verified: by `true`, not by a text (R12). */
  readonly isEmailVerified: boolean;
  readonly claims: Readonly<Record<string, unknown>>;
}

const refused = (cause?: unknown): Refusal =>
  new Refusal('invalid_credentials', { detail: NOT_ACCEPTED, cause });

/**
 * Verifies an ID token and spends its nonce: of fifty concurrent uses, one succeeds.
 *
 * @throws {Refusal} invalid_credentials, provider_unavailable
 */
export async function verifyIdentity(
  kernel: Kernel,
  provider: Provider,
  { idToken, nonce }: ProofInput,
): Promise<IdentityProof> {
  const id = nonceId(kernel, provider.name, nonce);
  // Before the provider is asked for its keys, so that strangers can't cause requests to it.
  if (id === null) throw refused(new Error('the nonce was not made here, or has expired'));
  const claims = await provider.verify(idToken);
  if (!hasNonce(claims['nonce'], nonce)) throw refused(new Error('the nonce is another one'));
  if (!(await kernel.challenges.countTry(`external ${id}`, 1)))
    throw refused(new Error('the nonce was used before'));
  const { sub: subject, email, email_verified: isVerified } = claims;
  const isAddress = typeof email === 'string' && canonicalEmail(email) !== null;
  return {
    issuer: provider.issuer,
    subject,
    email: isAddress ? email : null,
    isEmailVerified: isAddress && isVerified === true,
    claims,
  };
}
