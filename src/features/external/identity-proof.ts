/** What an ID token or a code proves: a provider's user, for a request that began here. */
import type { Kernel } from '../../core/kernel.ts';
import { constantTimeEqual } from '../../crypto/secret.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
import type { CodeAnswer } from './code-flow.ts';
import { flowSecrets, spend } from './flow.ts';
import { notAccepted } from './id-token.ts';
import type { ProviderClaims } from './id-token.ts';
import { hasNonce, nonceId } from './nonce.ts';
import type { Provider } from './provider.ts';

interface IdTokenInput {
  readonly kind: 'id_token';
  readonly idToken: string;
  readonly nonce: string;
}

interface CodeInput extends CodeAnswer {
  readonly kind: 'code';
  readonly flow: string;
}

export type ProofInput = IdTokenInput | CodeInput;

export interface IdentityProof {
  readonly issuer: string;
  readonly subject: string;
  /** The address that the provider names, verified by it or not. */
  readonly email: string | null;
  /** Whether the provider calls it verified: by `true`, not by a text (R12). */
  readonly isEmailVerified: boolean;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Spends the nonce: of fifty concurrent uses, one succeeds. */
async function idTokenClaims(
  kernel: Kernel,
  { name, idTokens }: Provider,
  { idToken, nonce }: IdTokenInput,
): Promise<ProviderClaims> {
  if (idTokens === null) throw notAccepted(new Error('the provider has no ID tokens'));
  const id = nonceId(kernel, name, nonce);
  // Before the provider is asked for its keys, so that strangers can't cause requests to it.
  if (id === null) throw notAccepted(new Error('the nonce was not made here, or has expired'));
  const claims = await idTokens.verify(idToken);
  if (!hasNonce(claims['nonce'], nonce)) throw notAccepted(new Error('the nonce is another one'));
  if (!(await kernel.challenges.countTry(`external ${id}`, 1)))
    throw notAccepted(new Error('the nonce was used before'));
  return claims;
}

/** Spends the flow before the provider is asked, so that a code is exchanged once. */
async function codeClaims(
  kernel: Kernel,
  { name, code }: Provider,
  { flow, ...answer }: CodeInput,
): Promise<ProviderClaims> {
  if (code === null) throw notAccepted(new Error('codes are off for this provider'));
  const secrets = flowSecrets(kernel, name, flow);
  if (!constantTimeEqual(answer.state, secrets.state))
    throw notAccepted(new Error('the state is of another flow'));
  return code.redeem(answer, secrets, () => spend(kernel, name, flow));
}

/**
 * Verifies what was presented, which is good once.
 *
 * @throws {Refusal} invalid_credentials, provider_unavailable
 */
export async function verifyIdentity(
  kernel: Kernel,
  provider: Provider,
  input: ProofInput,
): Promise<IdentityProof> {
  const claims =
    input.kind === 'code'
      ? await codeClaims(kernel, provider, input)
      : await idTokenClaims(kernel, provider, input);
  const { iss: issuer, sub: subject } = claims;
  const email = claims['email'];
  const isAddress = typeof email === 'string' && canonicalEmail(email) !== null;
  return {
    issuer,
    subject,
    email: isAddress ? email : null,
    isEmailVerified: isAddress && claims['email_verified'] === true,
    claims,
  };
}
