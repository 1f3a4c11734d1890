/**
 * The sign-in that a challenge token stands for: a first factor was right, and a further one is
 * due.
 */
import type { Database } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import { Refusal } from '../../refusal.ts';
import { verifyChallengeToken } from '../token/challenge-token.ts';
import type { Challenge } from '../token/challenge-token.ts';
import type { InternalKeys } from '../token/internal-token.ts';
import { findUserById } from '../user/user.ts';
import type { User } from '../user/user.ts';

interface Deps {
  readonly db: Database;
  readonly clock: Clock;
  readonly keys: InternalKeys;
  readonly policy: { readonly issuer: string };
}

/**
 * The pending sign-in of a challenge token, and its user in the state that it was begun in (O08).
 *
 * @throws {Refusal} invalid_token
 */
export async function pendingSignIn(
  { db, clock, keys, policy }: Deps,
  token: string,
): Promise<{ challenge: Challenge; user: User }> {
  const challenge = verifyChallengeToken(keys, policy.issuer, clock, token);
  const user = await findUserById(db, challenge.userId);
  if (user === null || user.epoch !== challenge.epoch || user.disabledAt !== null)
    throw new Refusal('invalid_token');
  return { challenge, user };
}
