/** Beginning a ceremony, and spending its challenge with the first answer. */
import type { Kernel } from '../../core/kernel.ts';
import { encodeBase64url } from '../../lib/base64url.ts';
import { Refusal } from '../../refusal.ts';
import { bindingOf, mintPasskeyChallenge, verifyPasskeyChallenge } from './challenge-token.ts';
import type { Ceremony, PasskeyChallenge } from './challenge-token.ts';
import type { Descriptor } from './options.ts';
import { library } from './webauthn.ts';

/** ASVS 6.7.2 asks for 64 bits. */
const CHALLENGE_BYTES = 32;

export interface BegunCeremony {
  /** What the caller brings back. */
  readonly challengeId: string;
  /** What the authenticator signs. */
  readonly challenge: string;
}

export interface BegunAssertion extends BegunCeremony {
  readonly allow: readonly Descriptor[];
}

/**
 * Begins a ceremony; nothing is stored.
 *
 * @param binding what the answer has to belong to; null for a sign-in without a name
 */
export function beginCeremony(
  kernel: Kernel,
  ceremony: Ceremony,
  binding: readonly string[] | null,
): BegunCeremony {
  // Loaded while the user looks for the authenticator.
  void library();
  const id = kernel.newId();
  const challenge = encodeBase64url(kernel.random.bytes(CHALLENGE_BYTES));
  const bound = binding === null ? null : bindingOf(kernel, id, binding);
  const challengeId = mintPasskeyChallenge(kernel, { id, ceremony, challenge, binding: bound });
  return { challengeId, challenge };
}

/**
 * The challenge of an answer, which is spent by that, whatever comes of it (W01): of fifty answers
 * one is looked at.
 *
 * @returns null when it isn't ours, is of another ceremony, too old, or was answered before
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
