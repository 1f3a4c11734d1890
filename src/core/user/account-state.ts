/** An operator's actions on an account; they apply at once in every process on the database. */
import type { Database } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import { isId } from '../../lib/id.ts';
import type { Attempts } from '../attempt/attempts.ts';
import type { Commit } from '../commit.ts';
import type { Context } from '../context.ts';
import { voidOneTimes } from '../one-time/one-time.ts';
import { endSessions } from '../session/session.ts';
import { parseSignInName } from './sign-in-name.ts';
import {
  advanceEpoch,
  demandPasswordChange,
  disableUser,
  enableUser,
  findUserById,
  findUserBySignInName,
  forgetEnrolmentGrace,
} from './user.ts';
import type { User } from './user.ts';

/** Finds a user by id, username or verified address. */
export async function findUserByAnyName(
  db: Pick<Database, 'read'>,
  name: string,
): Promise<User | null> {
  return isId(name) ? findUserById(db, name) : findUserBySignInName(db, parseSignInName(name));
}

export interface AccountState {
  /**
   * Disables the account and ends its sessions in one commit; false when it was already disabled.
   */
  disable(context: Context, userId: string): Promise<boolean>;
  /** Enables the account and clears its attempt counters; false when it was already enabled. */
  enable(context: Context, userId: string): Promise<boolean>;
  /** Clears the attempt counters of the account and of its devices. */
  unlock(context: Context, userId: string): Promise<void>;
  /** Makes the next sign-in require a new password (N1), and ends every session. */
  expirePassword(context: Context, userId: string): Promise<void>;
  /** Lets a user postpone the second factor once more: the grace begins with the next sign-in. */
  renewGrace(context: Context, userId: string): Promise<void>;
  /** Ends every session and voids pending operations; returns the number of sessions. */
  signOut(context: Context, userId: string): Promise<number>;
}

export interface AccountStateDeps {
  readonly clock: Clock;
  readonly commit: Commit;
  readonly attempts: Pick<Attempts, 'forgetAll'>;
}

export function createAccountState({ clock, commit, attempts }: AccountStateDeps): AccountState {
  return {
    disable: async (context, userId) => {
      const now = clock.now();
      const disabled = disableUser(userId, now);
      const ended = endSessions({ kind: 'all', userId }, 'user_disabled', now);
      const done = await commit(context, [disabled, voidOneTimes(userId, now), ...ended]);
      return done.rowsOf(disabled).length > 0;
    },
    enable: async (context, userId) => {
      const enabled = enableUser(userId, clock.now());
      const done = await commit(context, [enabled, attempts.forgetAll(userId)]);
      return done.rowsOf(enabled).length > 0;
    },
    unlock: async (context, userId) => void (await commit(context, [attempts.forgetAll(userId)])),
    expirePassword: async (context, userId) => {
      const now = clock.now();
      await commit(context, [
        demandPasswordChange(userId, now),
        advanceEpoch(userId, now),
        voidOneTimes(userId, now),
        ...endSessions({ kind: 'all', userId }, 'operator', now),
      ]);
    },
    renewGrace: async (context, userId) =>
      void (await commit(context, [forgetEnrolmentGrace(userId)])),
    signOut: async (context, userId) => {
      const now = clock.now();
      const ended = endSessions({ kind: 'all', userId }, 'operator', now);
      const done = await commit(context, [
        advanceEpoch(userId, now),
        voidOneTimes(userId, now),
        ...ended,
      ]);
      return done.rowsOf(ended[0]).length;
    },
  };
}
