/**
 * Challenges of WebAuthn ceremonies. Nothing is stored until one is answered: the id that the
 * client sends back is a signed token with the challenge in it, valid for one ceremony of one kind
 * within five minutes; the first answer spends it (W01, ASVS 6.7.2). The client can read its
 * content, so its binding is in it as a keyed hash, which does not reveal whether an account exists
 * (E04).
 *
 * @see https://www.w3.org/TR/webauthn-3/#sctn-cryptographic-challenges
 */
import type { Kernel } from '../../core/kernel.ts';
import { signInternal, verifyInternal } from '../../core/token/internal-token.ts';
import { isCurrent } from '../../core/token/validity.ts';
import { keyedHash } from '../../crypto/keyed-hash.ts';
import { constantTimeEqual } from '../../crypto/secret.ts';
import { Refusal } from '../../refusal.ts';

export const PASSKEY_CHALLENGE_TYPE = 'passkey+jwt';
export const PASSKEY_CHALLENGE_TTL_SECONDS = 300;

/**
 * The purpose of the ceremony: adding a passkey, creating an account with one, signing in with one,
 * or presenting a further factor.
 */
export type Ceremony = 'register' | 'new_account' | 'sign_in' | 'second';

export interface PasskeyChallenge {
  readonly id: string;
  readonly ceremony: Ceremony;
  /** 32 random bytes, base64url. */
  readonly challenge: string;
  /** A keyed hash of its binding; null for a sign-in without a name. */
  readonly binding: string | null;
}

type Keys = Pick<Kernel, 'signingKeys'>;

/** The binding of a challenge as its token contains it: different for every challenge. */
export function bindingOf(
  { signingKeys }: Keys,
  challengeId: string,
  parts: readonly string[],
): string {
  const bound = JSON.stringify([challengeId, ...parts]);
  return keyedHash(signingKeys.derivedKey, 'passkey binding', bound);
}

/** Whether a challenge has exactly this binding. */
export function isBoundTo(
  keys: Keys,
  { id, binding }: PasskeyChallenge,
  parts: readonly string[],
): boolean {
  return binding !== null && constantTimeEqual(binding, bindingOf(keys, id, parts));
}

export function mintPasskeyChallenge(
  { signingKeys, issuer, clock }: Pick<Kernel, 'signingKeys' | 'issuer' | 'clock'>,
  { id, ceremony, challenge, binding }: PasskeyChallenge,
): string {
  const now = clock.now();
  const iat = Math.floor(now / 1000);
  return signInternal(signingKeys.internalKeyAt(now), PASSKEY_CHALLENGE_TYPE, {
    iss: issuer,
    aud: issuer,
    jti: id,
    ceremony,
    challenge,
    ...(binding === null ? {} : { binding }),
    iat,
    exp: iat + PASSKEY_CHALLENGE_TTL_SECONDS,
  });
}

/**
 * @throws {Refusal} invalid_token: also when expired, or of another ceremony; the caller compares
 *   the binding
 */
export function verifyPasskeyChallenge(
  { signingKeys, issuer, clock }: Pick<Kernel, 'signingKeys' | 'issuer' | 'clock'>,
  ceremony: Ceremony,
  token: string,
): PasskeyChallenge {
  const claims = verifyInternal(signingKeys, issuer, PASSKEY_CHALLENGE_TYPE, token);
  const { jti, ceremony: kind, challenge, binding } = claims;
  const now = Math.floor(clock.now() / 1000);
  if (typeof jti !== 'string' || typeof challenge !== 'string' || kind !== ceremony)
    throw new Refusal('invalid_token');
  if (!isCurrent(claims, now, PASSKEY_CHALLENGE_TTL_SECONDS)) throw new Refusal('invalid_token');
  return { id: jti, ceremony, challenge, binding: typeof binding === 'string' ? binding : null };
}
