/** An operator's actions on an account; they apply at once in every process on the database. */
import { recorded, recordedIfChanged } from '../audit/audited-event.ts';
import { forgetEnrolmentGrace } from './mfa-deadline.ts';
import type { Database, Statement } from '../../db/database.ts';
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

/** The acts as events of the log. */
const EVENTS = {
  disable: { event: 'user.disabled', message: 'an account was disabled by an operator' },
  enable: { event: 'user.enabled', message: 'an account was enabled by an operator' },
  unlock: { event: 'user.unlocked', message: 'failed attempts were forgotten by an operator' },
  expirePassword: { event: 'password.expired', message: 'an operator demanded a new password' },
  renewGrace: {
    event: 'factor.grace_renewed',
    message: 'an operator gave more time to enrol a second factor',
  },
  signOut: {
    event: 'user.signed_out',
    message: 'every session of a user was ended by an operator',
  },
} as const;

export function createAccountState({ clock, commit, attempts }: AccountStateDeps): AccountState {
  const record = (act: keyof AccountState, userId: string): Statement => {
    const { event, message } = EVENTS[act];
    return recorded(event, message, { 'user.id': userId });
  };
  const recordChange = (act: 'disable' | 'enable', userId: string): Statement => {
    const { event, message } = EVENTS[act];
    return recordedIfChanged(event, message, { 'user.id': userId });
  };
  return {
    disable: async (context, userId) => {
      const [disabled, ...rest] = disableStatements(userId, clock.now());
      const statements = [disabled, recordChange('disable', userId), ...rest];
      return (await commit(context, statements)).rowsOf(disabled).length > 0;
    },
    enable: async (context, userId) => {
      const enabled = enableUser(userId, clock.now());
      const statements = [enabled, recordChange('enable', userId), attempts.forgetAll(userId)];
      return (await commit(context, statements)).rowsOf(enabled).length > 0;
    },
    unlock: async (context, userId) => {
      await commit(context, [attempts.forgetAll(userId), record('unlock', userId)]);
    },
    expirePassword: async (context, userId) => {
      const expiring = expirePassword(userId, clock.now());
      await commit(context, [...expiring, record('expirePassword', userId)]);
    },
    renewGrace: async (context, userId) => {
      await commit(context, [forgetEnrolmentGrace(userId), record('renewGrace', userId)]);
    },
    signOut: async (context, userId) => {
      const now = clock.now();
      const ended = endSessions({ kind: 'all', userId }, 'operator', now);
      const done = await commit(context, [
        advanceEpoch(userId, now),
        voidOneTimes(userId, now),
        ...ended,
        record('signOut', userId),
      ]);
      return done.rowsOf(ended[0]).length;
    },
  };
}

/** The statements that disable a user and end every session; the first yields a row if one did. */
export function disableStatements(
  userId: string,
  now: number,
): readonly [disabled: Statement<{ id: string }>, ...Statement[]] {
  const ended = endSessions({ kind: 'all', userId }, 'user_disabled', now);
  return [disableUser(userId, now), voidOneTimes(userId, now), ...ended];
}

/** The statements that demand a new password at the next sign-in (N1); every session ends. */
export function expirePassword(userId: string, now: number): readonly Statement[] {
  return [
    demandPasswordChange(userId, now),
    advanceEpoch(userId, now),
    voidOneTimes(userId, now),
    ...endSessions({ kind: 'all', userId }, 'operator', now),
  ];
}
