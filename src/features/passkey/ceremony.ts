/** Starts a ceremony, and spends its challenge with the first answer. */
import type { Kernel } from '../../core/kernel.ts';
import { encodeBase64url } from '../../lib/base64url.ts';
import { Refusal } from '../../refusal.ts';
import { bindingOf, mintPasskeyChallenge, verifyPasskeyChallenge } from './challenge-token.ts';
import type { Ceremony, PasskeyChallenge } from './challenge-token.ts';
import type { Descriptor } from './options.ts';
import { library } from './webauthn.ts';

/** ASVS 6.7.2 requires at least 64 bits. */
const CHALLENGE_BYTES = 32;

export interface BegunCeremony {
  readonly id: string;
  /** The id that the client sends back. */
  readonly challengeId: string;
  /** What the authenticator signs. */
  readonly challenge: string;
}

export interface BegunAssertion extends BegunCeremony {
  readonly allow: readonly Descriptor[];
}

/**
 * Starts a ceremony; nothing is stored.
 *
 * @param binding what the answer must belong to; null for a sign-in without a name
 */
export function beginCeremony(
  kernel: Kernel,
  ceremony: Ceremony,
  binding: readonly string[] | null,
): BegunCeremony {
  // Load the library while the user looks for the authenticator.
  void library();
  const id = kernel.newId();
  const challenge = encodeBase64url(kernel.random.bytes(CHALLENGE_BYTES));
  const bound = binding === null ? null : bindingOf(kernel, id, binding);
  const challengeId = mintPasskeyChallenge(kernel, { id, ceremony, challenge, binding: bound });
  return { id, challengeId, challenge };
}

/**
 * The challenge of an answer, which is spent even if the answer turns out wrong (W01): of fifty
 * concurrent answers one is checked.
 *
 * @returns null when it was not issued here, is of another ceremony, has expired, or was answered
 *   before
 */
export async function spendCeremony(
  kernel: Kernel,
  ceremony: Ceremony,
  challengeId: string,
): Promise<PasskeyChallenge | null> {
  let challenge: PasskeyChallenge;
  try {
    challenge = verifyPasskeyChallenge(kernel, ceremony, challengeId);
  } catch (error) {
    if (error instanceof Refusal && error.code === 'invalid_token') return null;
    throw error;
  }
  return (await kernel.challenges.countTry(challenge.id, 1)) ? challenge : null;
}
