/**
 * The pending sign-in of a challenge token: the first factor was correct, and another one is
 * required.
 */
import type { Database } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import type { Challenge, ChallengeTokens } from '../token/challenge-token.ts';
import { findUserById } from '../user/user.ts';
import type { User } from '../user/user.ts';

export interface PendingSignIn {
  readonly challenge: Challenge;
  /** In the state in which the sign-in was started (O08). */
  readonly user: User;
}

/** Finds the pending sign-in of a challenge token. */
export type FindPendingSignIn = (token: string) => Promise<PendingSignIn>;

/** The refusal of a pending sign-in that has ended, for any reason. */
export function signInIsOver(cause?: unknown): Refusal {
  return new Refusal('invalid_token', {
    detail:
      'This sign-in is over: completed, too late, or after too many wrong answers. Sign in again.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Its function throws {Refusal} invalid_token. */
export function pendingSignIns(deps: {
  readonly db: Pick<Database, 'read'>;
  readonly challengeTokens: ChallengeTokens;
}): FindPendingSignIn {
  return async (token) => {
    const challenge = readToken(deps.challengeTokens, token);
    const user = await findUserById(deps.db, challenge.userId);
    if (user === null || user.epoch !== challenge.epoch || user.disabledAt !== null) {
      throw signInIsOver();
    }
    return { challenge, user };
  };
}

/** @throws {Refusal} invalid_token */
function readToken(challengeTokens: ChallengeTokens, token: string): Challenge {
  try {
    return challengeTokens.verify(token);
  } catch (error) {
    if (error instanceof Refusal && error.code === 'invalid_token') throw signInIsOver(error);
    throw error;
  }
}
