/**
 * Signing in with a name and a password. Every failure (unknown name, wrong password, no password
 * set) costs the same work and gets the same answer (G5, E01).
 */
import { recorded } from '../../core/audit/audited-event.ts';
import { ANYBODY } from '../../core/attempt/attempts.ts';
import type { AttemptKey } from '../../core/attempt/attempts.ts';
import type { Context } from '../../core/context.ts';
import { scopeOfDevice } from '../../core/factor/authentication.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import type { FactorAnswer, VerifiedFactor } from '../../core/factor/factor.ts';
import { placeOf } from '../../core/factor/factors.ts';
import type { Kernel } from '../../core/kernel.ts';
import { PRESENTED_PASSWORD, hashShare } from '../../core/password/passwords.ts';
import type { RightPassword } from '../../core/password/passwords.ts';
import { parseSignInName } from '../../core/user/sign-in-name.ts';
import type { SignInName } from '../../core/user/sign-in-name.ts';
import { findUserBySignInName } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import { keyedHash } from '../../crypto/keyed-hash.ts';
import type { Statement } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import { unavailable } from './legacy.ts';
import type { Legacy } from './legacy.ts';
import { migrateUser } from './migrate-user.ts';
import type { LegacyAttempt } from './migrate-user.ts';

export interface SignIn {
  /** A username or an email address, as it was typed. */
  readonly username: string;
  readonly password: string;
  /** A second factor sent along, which saves the second request. */
  readonly answer: FactorAnswer | null;
  readonly deviceToken: string | undefined;
}

/**
 * Maximum time that the count of an attempt waits for a commit to share, milliseconds; never more
 * than a quarter of the wait for a hash lane.
 */
const COUNT_PATIENCE_MS = 20;

/** A user who may sign in, and what is committed with it. */
type Looked = Pick<RightPassword, 'user' | 'isTooOld' | 'upgrade'> & {
  /** The old system confirmed the password. */
  readonly isMigrated?: true;
};

/** Whether what the old system said is an account here by now. */
const isTaken = (error: unknown): boolean =>
  error instanceof Refusal && (error.code === 'conflict' || error.code === 'external_id_taken');

/** Number of failures after which a success notifies the user (ASVS 6.3.5). */
const UNUSUAL_FAILURES = 10;

/**
 * Signs in.
 *
 * @param legacy the system that had the users before, or null
 *
 * Its function throws {Refusal} invalid_credentials, provider_unavailable; account_disabled, password_change_required and
 * mfa_enrolment_required only after a correct password; too_many_attempts, overloaded.
 */
export function signIn(kernel: Kernel, legacy: Legacy | null) {
  const { attempts, passwords, passwordHasher, emails, authentication } = kernel;

  const migrate = legacy === null ? null : migrateUser(kernel, legacy);

  /**
   * Compares here, and asks the old system where there is no password to compare with. That it could
   * not be asked is a value: the attempt stays counted, because it may have compared.
   */
  const look = async (context: Context, attempt: LegacyAttempt): Promise<Looked | Refusal> => {
    const { user, password, share } = attempt;
    try {
      return await passwords.look(context, user, password, share);
    } catch (error) {
      const isWrong = error instanceof Refusal && error.code === 'invalid_credentials';
      const migrated = isWrong ? await migrate?.(context, attempt) : null;
      if (migrated === null || migrated === undefined) throw error;
      return migrated;
    }
  };

  /** A name without an account has a counter too, so that limits don't reveal it (E05). */
  const unknownName = ({ canonical }: SignInName): string =>
    keyedHash(kernel.signingKeys.derivedKey, 'unknown name', canonical);

  const counterOf = (name: SignInName, user: User | null, device: string | null): AttemptKey =>
    user === null
      ? { purpose: 'unknown_name', subject: unknownName(name), ownerUserId: null, scope: ANYBODY }
      : {
          purpose: 'password',
          subject: user.id,
          ownerUserId: user.id,
          scope: scopeOfDevice(device),
        };

  const notice = (context: Context, value: Looked, failures: number): readonly Statement[] => {
    if (failures <= UNUSUAL_FAILURES) return [];
    const values = { failures: String(failures - 1), address: placeOf(context) };
    const to = value.user.email;
    return emails.notify(context, { template: 'unusual_sign_in', to, values });
  };

  const complete = async (
    context: Context,
    { answer, username, password, deviceToken }: SignIn,
    user: User | null,
  ): Promise<Authentication> => {
    const device =
      user === null || deviceToken === undefined
        ? null
        : kernel.deviceTokens.deviceOf(deviceToken, user);
    const key = counterOf(parseSignInName(username), user, device);
    // While others wait for a hash lane, the count shares the commit of the next sign-in instead of
    // flushing the disk for itself.
    const patienceMs = Math.min(COUNT_PATIENCE_MS, passwordHasher.backlogMs / 4);
    const share = hashShare('password', key.subject);
    passwords.demandRoom(context, share);
    const made = await attempts.guard(
      key,
      () => look(context, { user, username, password, share }),
      patienceMs,
    );
    const { value, forget, failures } = made;
    if (value instanceof Refusal) throw value;
    const first: VerifiedFactor = {
      user: value.user,
      ...PRESENTED_PASSWORD,
      effects: [forget, ...value.upgrade, ...notice(context, value, failures), ...migrated(value)],
      mustChange: value.isTooOld,
      device,
      ...(device === null || deviceToken === undefined ? {} : { deviceToken }),
    };
    return authentication.completeFactors(context, first, answer);
  };

  return async (context: Context, input: SignIn): Promise<Authentication> => {
    const name = parseSignInName(input.username);
    const user = await findUserBySignInName(kernel.db, name);
    try {
      return await complete(context, input, user).catch(async (error: unknown) => {
        if (migrate === null || !isTaken(error)) throw error;
        // Another sign-in of the same user was faster; or the names are somebody else's here.
        const made = await findUserBySignInName(kernel.db, name);
        if (made === null) throw unavailable(error);
        return complete(context, input, made);
      });
    } catch (error) {
      if (error instanceof Refusal) {
        context.log.write(
          error.code === 'too_many_attempts' ? 'warn' : 'info',
          'sign_in.failed',
          'a sign-in was refused',
          {
            ...(user === null ? {} : { 'user.id': user.id }),
            factor: PRESENTED_PASSWORD.factor,
            'error.type': error.code,
          },
        );
      }
      throw error;
    }
  };
}

/** The record of an account that this sign-in brought from the old system. */
function migrated({ user, isMigrated }: { readonly user: User; readonly isMigrated?: boolean }) {
  const event = { 'user.id': user.id };
  return isMigrated === true
    ? [recorded('user.migrated', 'a user came from password.legacy_url', event)]
    : [];
}
