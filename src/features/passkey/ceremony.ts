/** Beginning a ceremony, and spending its challenge with the first answer. */
import { Refusal } from '../../refusal.ts';
import { countChallengeTry } from '../../core/factor/challenge.ts';
import { mintPasskeyChallenge, passkeyBinding, verifyPasskeyChallenge } from './challenge-token.ts';
import type { Ceremony, PasskeyChallenge } from './challenge-token.ts';
import { encodeBase64url } from '../../lib/base64url.ts';
import { library } from './library.ts';
import type { PasskeyApp } from './relying-party.ts';

/** ASVS 6.7.2 asks for 64 bits. */
const CHALLENGE_BYTES = 32;

export interface BegunCeremony {
  /** What the caller brings back. */
  readonly challengeId: string;
  /** What the authenticator signs. */
  readonly challenge: string;
}

/**
 * Begins a ceremony; nothing is stored.
 *
 * @param binding what the answer has to belong to; null for a sign-in that names nobody
 */
export function beginCeremony(
  app: PasskeyApp,
  ceremony: Ceremony,
  binding: readonly string[] | null,
): BegunCeremony {
  // While its user looks for the authenticator.
  void library();
  const id = app.newId();
  const challenge = encodeBase64url(app.random.bytes(CHALLENGE_BYTES));
  const bound = binding === null ? null : passkeyBinding(app.keys.derivedKey, id, binding);
  return {
    challengeId: mintPasskeyChallenge(app.keys, app.policy.issuer, app.clock, {
      id,
      ceremony,
      challenge,
      binding: bound,
    }),
    challenge,
  };
}

/**
 * The challenge of an answer, which is spent by that, whatever comes of it (W01): of fifty answers
 * one is looked at.
 *
 * @returns null when it isn't ours, is of another ceremony, too old, or was answered before
 */
export async function spendCeremony(
  app: PasskeyApp,
  ceremony: Ceremony,
  challengeId: string,
): Promise<PasskeyChallenge | null> {
  let challenge;
  try {
    challenge = verifyPasskeyChallenge(
      app.keys,
      app.policy.issuer,
      app.clock,
      ceremony,
      challengeId,
    );
  } catch (error) {
    if (error instanceof Refusal && error.code === 'invalid_token') return null;
    throw error;
  }
  return (await countChallengeTry(app.db, challenge.id, app.clock.now(), 1)) ? challenge : null;
}
