/**
 * Challenge tokens: what a right first factor gets when a second one is due. It opens nothing but
 * the next step, lives five minutes, and names the user's epoch, so that a password change, a reset
 * or disabling voids it (O08).
 */
import { Refusal } from '../../refusal.ts';
import type { Clock } from '../../lib/clock.ts';
import { signInternal, verifyInternal } from './internal-token.ts';
import type { InternalKeys } from './internal-token.ts';
import type { Amr } from '../factor/amr.ts';
import type { FactorKind, FactorName } from '../factor/factor.ts';

export const CHALLENGE_TOKEN_TYPE = 'challenge+jwt';
export const CHALLENGE_TTL_SECONDS = 300;

/** A pending sign-in: the factors shown so far, for the user in the state of `epoch`. */
export interface Challenge {
  readonly id: string;
  readonly userId: string;
  readonly epoch: number;
  /** The device that showed the first factor, if it signed in before. */
  readonly device: string | null;
  /** What was shown first was right but has to be replaced: that is asked for at the end. */
  readonly mustChange: boolean;
  readonly shown: readonly {
    readonly factor: FactorName;
    readonly kind: FactorKind;
    readonly amr: readonly Amr[];
  }[];
}

export function mintChallengeToken(
  keys: InternalKeys,
  issuer: string,
  clock: Clock,
  challenge: Challenge,
): string {
  const now = Math.floor(clock.now() / 1000);
  return signInternal(keys.internalKeyAt(clock.now()), CHALLENGE_TOKEN_TYPE, {
    iss: issuer,
    aud: issuer,
    sub: challenge.userId,
    jti: challenge.id,
    epoch: challenge.epoch,
    ...(challenge.device === null ? {} : { device: challenge.device }),
    ...(challenge.mustChange ? { must_change: true } : {}),
    shown: challenge.shown,
    iat: now,
    exp: now + CHALLENGE_TTL_SECONDS,
  });
}

/**
 * @throws {Refusal} invalid_token: also when expired; the user's epoch is the caller's to compare
 *   with the database
 */
export function verifyChallengeToken(
  keys: InternalKeys,
  issuer: string,
  clock: Clock,
  token: string,
): Challenge {
  const { sub, jti, epoch, device, must_change, shown, exp, iat } = verifyInternal(
    keys,
    issuer,
    CHALLENGE_TOKEN_TYPE,
    token,
  );
  const now = Math.floor(clock.now() / 1000);
  if (
    typeof sub !== 'string' ||
    typeof jti !== 'string' ||
    typeof epoch !== 'number' ||
    typeof exp !== 'number' ||
    typeof iat !== 'number'
  )
    throw new Refusal('invalid_token');
  if (
    exp <= now ||
    iat > now + 5 ||
    exp - iat > CHALLENGE_TTL_SECONDS ||
    !Array.isArray(shown) ||
    !shown.every(isShown)
  )
    throw new Refusal('invalid_token');
  return {
    id: jti,
    userId: sub,
    epoch,
    device: typeof device === 'string' ? device : null,
    mustChange: must_change === true,
    shown,
  };
}

function isShown(value: unknown): value is Challenge['shown'][number] {
  return (
    typeof value === 'object' &&
    value !== null &&
    'factor' in value &&
    'kind' in value &&
    'amr' in value &&
    typeof value.factor === 'string' &&
    Array.isArray(value.amr)
  );
}
