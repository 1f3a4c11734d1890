/**
 * What an operator does to an account: disable, enable, unlock, sign out. It holds at once for this
 * database's every process.
 */
import type { Database } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import { voidOneTimes } from '../one-time/one-time.ts';
import { enrolmentBucket, secondBucket } from '../factor/second-factor.ts';
import { endSessions } from '../session/session.ts';
import { passwordBucket, resetAllThrottles } from '../attempt/attempt.ts';
import {
  advanceEpoch,
  demandPasswordChange,
  disableUser,
  enableUser,
  findUserById,
  findUserBySignInName,
  setMfaDue,
} from './user.ts';
import type { User } from './user.ts';
import { parseSignInName } from './sign-in-name.ts';
import { isId } from '../../lib/id.ts';

interface Deps {
  readonly db: Database;
  readonly clock: Clock;
}

/** The user of an id, a username or a proved address. */
export async function findUserByAnyName(
  { db }: Pick<Deps, 'db'>,
  name: string,
): Promise<User | null> {
  return isId(name) ? findUserById(db, name) : findUserBySignInName(db, parseSignInName(name));
}

/** Disables the account and ends its sessions in one commit; false when it was disabled already. */
export async function disableAccount({ db, clock }: Deps, userId: string): Promise<boolean> {
  const now = clock.now();
  const [rows] = await db.write([
    disableUser(userId, now),
    voidOneTimes(userId, now),
    ...endSessions({ kind: 'all', userId }, 'user_disabled', now),
  ]);
  return rows.length > 0;
}

/** Enables the account and opens its attempt buckets; false when it was enabled already. */
export async function enableAccount({ db, clock }: Deps, userId: string): Promise<boolean> {
  const [rows] = await db.write([
    enableUser(userId, clock.now()),
    resetAllThrottles(passwordBucket(userId)),
    resetAllThrottles(secondBucket(userId)),
    resetAllThrottles(enrolmentBucket(userId)),
  ]);
  return rows.length > 0;
}

/**
 * Has the next sign-in ask for a new password (N1: on evidence of compromise), and ends every
 * session.
 */
export async function demandPasswordChangeOf({ db, clock }: Deps, userId: string): Promise<void> {
  const now = clock.now();
  await db.write([
    demandPasswordChange(userId, now),
    advanceEpoch(userId, now),
    voidOneTimes(userId, now),
    ...endSessions({ kind: 'all', userId }, 'operator', now),
  ]);
}

/** Forgets the failed attempts on the account and on its devices. */
export async function unlockAccount({ db }: Pick<Deps, 'db'>, userId: string): Promise<void> {
  await db.write([
    resetAllThrottles(passwordBucket(userId)),
    resetAllThrottles(secondBucket(userId)),
    resetAllThrottles(enrolmentBucket(userId)),
  ]);
}

/**
 * Lets a user put off the second factor that the policy asks for once more: the time begins with
 * the next sign-in.
 */
export async function renewMfaGrace({ db }: Pick<Deps, 'db'>, userId: string): Promise<void> {
  await db.write([setMfaDue(userId, null)]);
}

/** Ends every session and voids what was begun in them; the number ended. */
export async function signOutAccount({ db, clock }: Deps, userId: string): Promise<number> {
  const now = clock.now();
  const [, , revoked] = await db.write([
    advanceEpoch(userId, now),
    voidOneTimes(userId, now),
    ...endSessions({ kind: 'all', userId }, 'operator', now),
  ]);
  return revoked?.length ?? 0;
}
