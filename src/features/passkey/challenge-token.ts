/**
 * Challenges of WebAuthn ceremonies. Nothing is stored until one is answered: the id that a caller
 * brings back is a signed token with the challenge in it, good for one ceremony of one kind within
 * five minutes; the first answer spends it (W01, ASVS 6.7.2). Its content can be read by whoever
 * asked, so what it is bound to stands in it as a keyed hash that tells nothing of who exists
 * (E04).
 *
 * @see https://www.w3.org/TR/webauthn-3/#sctn-cryptographic-challenges
 */
import { createHmac } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { constantTimeEqual } from '../../crypto/secret.ts';
import { Refusal } from '../../refusal.ts';
import type { Clock } from '../../lib/clock.ts';
import { signInternal, verifyInternal } from '../../core/token/internal-token.ts';
import type { InternalKeys } from '../../core/token/internal-token.ts';

export const PASSKEY_CHALLENGE_TYPE = 'passkey+jwt';
export const PASSKEY_CHALLENGE_TTL_SECONDS = 300;

/**
 * What the ceremony is for: adding a passkey, signing in by one, or showing one as a further
 * factor.
 */
export type Ceremony = 'register' | 'sign_in' | 'second';

export interface PasskeyChallenge {
  readonly id: string;
  readonly ceremony: Ceremony;
  /** 32 random bytes, base64url. */
  readonly challenge: string;
  /** A keyed hash of what it is bound to; null for a sign-in that named nobody. */
  readonly binding: string | null;
}

/**
 * What a challenge is bound to, as it stands in its token: no two challenges have the same for one
 * user.
 */
export function passkeyBinding(
  key: KeyObject,
  challengeId: string,
  parts: readonly string[],
): string {
  return createHmac('sha256', key)
    .update(`postern passkey binding\n${JSON.stringify([challengeId, ...parts])}`)
    .digest('base64url');
}

/** Whether a challenge is bound to just this. */
export function isBoundTo(
  key: KeyObject,
  { id, binding }: PasskeyChallenge,
  parts: readonly string[],
): boolean {
  return binding !== null && constantTimeEqual(binding, passkeyBinding(key, id, parts));
}

export function mintPasskeyChallenge(
  keys: InternalKeys,
  issuer: string,
  clock: Clock,
  { id, ceremony, challenge, binding }: PasskeyChallenge,
): string {
  const now = Math.floor(clock.now() / 1000);
  return signInternal(keys.internalKeyAt(clock.now()), PASSKEY_CHALLENGE_TYPE, {
    iss: issuer,
    aud: issuer,
    jti: id,
    ceremony,
    challenge,
    ...(binding === null ? {} : { binding }),
    iat: now,
    exp: now + PASSKEY_CHALLENGE_TTL_SECONDS,
  });
}

/**
 * @throws {Refusal} invalid_token: also when expired, or of another ceremony; what it is bound to
 *   is the caller's to compare
 */
export function verifyPasskeyChallenge(
  keys: InternalKeys,
  issuer: string,
  clock: Clock,
  ceremony: Ceremony,
  token: string,
): PasskeyChallenge {
  const {
    jti,
    ceremony: kind,
    challenge,
    binding,
    exp,
    iat,
  } = verifyInternal(keys, issuer, PASSKEY_CHALLENGE_TYPE, token);
  const now = Math.floor(clock.now() / 1000);
  if (
    typeof jti !== 'string' ||
    typeof challenge !== 'string' ||
    typeof exp !== 'number' ||
    typeof iat !== 'number' ||
    kind !== ceremony
  )
    throw new Refusal('invalid_token');
  if (exp <= now || iat > now + 5 || exp - iat > PASSKEY_CHALLENGE_TTL_SECONDS)
    throw new Refusal('invalid_token');
  return { id: jti, ceremony, challenge, binding: typeof binding === 'string' ? binding : null };
}
