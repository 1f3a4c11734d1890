/**
 * Challenge tokens: the answer to a correct first factor when a second one is required. A token
 * only continues the sign-in, lives five minutes, and contains the user's epoch, so that a password
 * change, a reset or disabling voids it (O08).
 */
import type { Clock } from '../../lib/clock.ts';
import { Refusal } from '../../refusal.ts';
import type { PresentedFactor } from '../factor/presented.ts';
import { signInternal, verifyInternal } from './internal-token.ts';
import type { InternalKeys } from './internal-token.ts';
import { CHALLENGE_TOKEN_TYPE } from './token-type.ts';
import { isCurrent } from './validity.ts';

export const CHALLENGE_TTL_SECONDS = 300;

/** A pending sign-in: the factors presented so far, for the user in the state of `epoch`. */
export interface Challenge {
  readonly id: string;
  readonly userId: string;
  readonly epoch: number;
  /** The known device that presented the first factor. */
  readonly device: string | null;
  /** The password was correct but must be replaced: the demand comes after all factors. */
  readonly mustChange: boolean;
  readonly presented: readonly PresentedFactor[];
}

export interface ChallengeTokens {
  mint(challenge: Challenge): string;
  /**
   * @throws {Refusal} invalid_token: also when expired; the caller compares the user's epoch with
   *   the database
   */
  verify(token: string): Challenge;
}

export interface ChallengeTokenDeps {
  readonly signingKeys: InternalKeys;
  readonly clock: Clock;
  readonly issuer: string;
}

export function createChallengeTokens(deps: ChallengeTokenDeps): ChallengeTokens {
  const { signingKeys, clock, issuer } = deps;
  return {
    mint: ({ id, userId, epoch, device, mustChange, presented }) => {
      const now = clock.now();
      const iat = Math.floor(now / 1000);
      return signInternal(signingKeys.internalKeyAt(now), CHALLENGE_TOKEN_TYPE, {
        iss: issuer,
        aud: issuer,
        sub: userId,
        jti: id,
        epoch,
        ...(device === null ? {} : { device }),
        ...(mustChange ? { must_change: true } : {}),
        presented,
        iat,
        exp: iat + CHALLENGE_TTL_SECONDS,
      });
    },
    verify: (token) => {
      const claims = verifyInternal(signingKeys, issuer, CHALLENGE_TOKEN_TYPE, token);
      const challenge = challengeOf(claims);
      const now = Math.floor(clock.now() / 1000);
      if (challenge === null || !isCurrent(claims, now, CHALLENGE_TTL_SECONDS))
        throw new Refusal('invalid_token');
      return challenge;
    },
  };
}

function challengeOf(claims: Record<string, unknown>): Challenge | null {
  const { sub, jti, epoch, device, must_change, presented } = claims;
  if (typeof sub !== 'string' || typeof jti !== 'string' || typeof epoch !== 'number') return null;
  if (!Array.isArray(presented) || !presented.every(isPresented)) return null;
  return {
    id: jti,
    userId: sub,
    epoch,
    device: typeof device === 'string' ? device : null,
    mustChange: must_change === true,
    presented,
  };
}

function isPresented(value: unknown): value is PresentedFactor {
  if (typeof value !== 'object' || value === null) return false;
  if (!('factor' in value && 'kind' in value && 'amr' in value)) return false;
  return typeof value.factor === 'string' && Array.isArray(value.amr);
}
