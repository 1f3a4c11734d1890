/**
 * Refresh tokens: accepted only by /refresh and /logout. A token is computed from its session's row
 * alone (generation, time of rotation, authentication time), so that the same row gives the same
 * token again: that is how the grace answers two tabs without storing a token (D2).
 *
 * @see https://www.rfc-editor.org/rfc/rfc9700#section-4.14
 */
import { Refusal } from '../../refusal.ts';
import { signInternal, verifyInternal } from './internal-token.ts';
import type { InternalKeys } from './internal-token.ts';
import { REFRESH_TOKEN_TYPE } from './token-type.ts';

export interface RefreshSubject {
  readonly sessionId: string;
  readonly userId: string;
  readonly generation: number;
  /** When this generation was created, wall-clock milliseconds. */
  readonly rotatedAt: number;
  readonly authTime: number;
  /**
   * When it ends if unused: the earlier of the idle and the absolute end, wall-clock milliseconds.
   */
  readonly endsAt: number;
}

export interface RefreshClaims {
  readonly sessionId: string;
  readonly userId: string;
  readonly generation: number;
  /** Wall-clock seconds. */
  readonly expiresAt: number;
}

export function mintRefreshToken(
  keys: InternalKeys,
  issuer: string,
  subject: RefreshSubject,
): string {
  return signInternal(keys.internalKeyAt(subject.rotatedAt), REFRESH_TOKEN_TYPE, {
    iss: issuer,
    aud: issuer,
    sub: subject.userId,
    sid: subject.sessionId,
    jti: `${subject.sessionId}.${subject.generation}`,
    gen: subject.generation,
    auth_time: Math.floor(subject.authTime / 1000),
    iat: Math.floor(subject.rotatedAt / 1000),
    exp: Math.floor(subject.endsAt / 1000),
  });
}

/**
 * Checks format, type, signature and claims. Expiry is decided by the session's row and not checked
 * here, so that a late sign-out still works and a late refresh gets its own code.
 *
 * @throws {Refusal} invalid_token
 */
export function verifyRefreshToken(
  keys: InternalKeys,
  issuer: string,
  token: string,
): RefreshClaims {
  const { sub, sid, gen, exp, jti } = verifyInternal(keys, issuer, REFRESH_TOKEN_TYPE, token);
  if (
    typeof sub !== 'string' ||
    typeof sid !== 'string' ||
    typeof gen !== 'number' ||
    !Number.isSafeInteger(gen) ||
    gen < 0
  )
    throw new Refusal('invalid_token');
  if (typeof exp !== 'number' || jti !== `${sid}.${gen}`) throw new Refusal('invalid_token');
  return { sessionId: sid, userId: sub, generation: gen, expiresAt: exp };
}
