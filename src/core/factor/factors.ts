/**
 * The factors that the features brought: who has which, presenting one, and changing them. Attempts
 * are counted over all guessable factors and challenges of an account, before anything is checked
 * (L03, O06, N5); a correct password resets none of these counters (L04).
 */
import { recorded } from '../audit/audited-event.ts';
import { forgetEnrolmentGrace } from '../user/mfa-deadline.ts';
import type { Statement } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import { Refusal } from '../../refusal.ts';
import type { AttemptScope, Attempts } from '../attempt/attempts.ts';
import type { Commit } from '../commit.ts';
import type { Context, PrincipalContext } from '../context.ts';
import type { Emails } from '../email/emails.ts';
import type { TemplateName } from '../email/templates.ts';
import { voidOneTimes } from '../one-time/one-time.ts';
import { endSessions } from '../session/session.ts';
import { setSessionFactors } from '../session/start.ts';
import { advanceEpoch, advanceEpochFrom } from '../user/user.ts';
import { dropPendingAddress } from '../user/pending-email.ts';
import type { Portable } from '../user/portable.ts';
import type { User } from '../user/user.ts';
import type {
  BackupCodes,
  Factor,
  FactorAnswer,
  FactorListing,
  FactorRecords,
  MfaPolicy,
  Occasion,
  VerifiedFactor,
} from './factor.ts';
import type { PresentedFactor } from './presented.ts';
import type { SignInMethods } from './sign-in-methods.ts';

/** Consecutive wrong second factors after which the user is notified (ASVS 6.3.5). */
const NOTIFIED_FAILURES = 5;

export interface Presentation {
  readonly user: User;
  readonly answer: FactorAnswer;
  readonly occasion: Occasion;
  /** Which attempt counter applies: a known device's, a session's, or the shared one. */
  readonly scope: AttemptScope;
}

export interface FactorChange {
  /** The statements of the change itself; its guards carry their refusals. */
  readonly statements: readonly Statement[];
  /** The factors of the present session after the change. */
  readonly presented: readonly PresentedFactor[];
  readonly template: TemplateName;
  /** The factor in words, for the email; its user may have named it. */
  readonly label: string;
  /** Which factor, for the log. */
  readonly factor: string;
  readonly event: 'factor.added' | 'factor.removed' | 'factor.renewed';
}

export interface Factors {
  /** The enabled factors, in the order in which they are offered. */
  readonly active: readonly Factor[];
  /** Registers an enabled factor. */
  add(factor: Factor): void;
  /** What is kept about a user's ways to sign in, for the user's own data and for operators. */
  readonly listings: readonly FactorListing[];
  /** Registers a listing of records that are no factor, such as identities at outside providers. */
  addListing(listing: FactorListing): void;
  /** What of a user's an import brings and an export takes along, beside the account. */
  readonly portables: readonly Portable[];
  addPortable(portable: Portable): void;
  /** Registers the records of a factor that is switched off. */
  addSwitchedOff(records: FactorRecords): void;
  /** Factors that users have enrolled but this configuration switches off. */
  switchedOffInUse(): Promise<readonly FactorRecords[]>;
  /** Whether this user has a second factor: decided only here. */
  hasSecond(userId: string): Promise<boolean>;
  /** Whether this user has a second factor other than the named one. */
  hasSecondBeside(userId: string, name: string): Promise<boolean>;
  /** The factors of this user, if one of them makes a second factor required; else empty. */
  enrolled(userId: string): Promise<readonly Factor[]>;
  /**
   * Verifies an answer. The returned effects include the reset of the attempt counter.
   *
   * @throws {Refusal} invalid_credentials: wrong, spent, or not a factor of this user;
   *   too_many_attempts, overloaded
   */
  present(context: Context, presentation: Presentation): Promise<VerifiedFactor>;
  /**
   * Commits a user's change of factors, in the state in which the request was authorised, and the
   * consequences of every such change: the other sessions end, pending operations are void, the
   * user is notified (G9, ASVS 6.3.7, 7.4.3).
   *
   * @throws {Refusal} conflict: password, factors or address changed meanwhile; session_revoked
   */
  change(context: PrincipalContext, change: FactorChange): Promise<void>;
  /**
   * The statements that go with the removal of a factor: backup codes replace a second factor, so
   * they are removed with the last one.
   *
   * @throws {Refusal} last_second_factor: the policy requires one of everybody
   */
  withRemovalOf(userId: string, name: string): Promise<readonly Statement[]>;
  /** New backup codes, from the factor that has them; empty when no factor does. */
  renewBackup(context: Context, userId: string): Promise<BackupCodes>;
  /**
   * Removes every second factor of a user, for an operator (ASVS 6.4.4, 6.5.6), so that a user who
   * lost them can sign in again. Every session ends, and the user is notified.
   *
   * @returns the names of the factors that stay, because the user has no other way to sign in
   */
  removeAll(context: Context, user: User): Promise<readonly string[]>;
}

export interface FactorsDeps {
  readonly clock: Clock;
  readonly commit: Commit;
  readonly attempts: Attempts;
  readonly emails: Emails;
  readonly signInMethods: Pick<SignInMethods, 'settle'>;
  readonly mfa: MfaPolicy;
}

async function enrolledOf(factors: readonly Factor[], userId: string): Promise<Factor[]> {
  const enrolled = await Promise.all(factors.map((factor) => factor.enrolled(userId)));
  return factors.filter((_, index) => enrolled[index]);
}

/** Where a request came from, in words for an email. */
export const placeOf = ({ requester }: Context): string => requester.ip ?? 'unknown';

export function createFactors(deps: FactorsDeps): Factors {
  const { clock, commit, attempts, emails, signInMethods, mfa } = deps;
  const active: Factor[] = [];
  const others: FactorListing[] = [];
  const portables: Portable[] = [];
  const switchedOff: FactorRecords[] = [];
  const demanding = (): Factor[] => active.filter(({ demandsSecond }) => demandsSecond);

  const refused = (context: Context, { user, answer }: Presentation, error: Refusal): void =>
    context.log.write(
      error.code === 'too_many_attempts' ? 'warn' : 'info',
      'second_factor.failed',
      'a second factor was refused',
      { 'user.id': user.id, factor: answer.factor.name, 'error.type': error.code },
    );

  /** Each count occurs once, however many guesses run in parallel: one email. */
  const notifyOwner = async (
    context: Context,
    { user, occasion }: Presentation,
    failures: number,
  ): Promise<void> => {
    if (failures !== NOTIFIED_FAILURES || occasion.kind !== 'sign_in') return;
    const values = { failures: String(failures), address: placeOf(context) };
    await commit.inAnySession(
      emails.notify(context, { template: 'second_factor_failed', to: user.email, values }),
    );
  };

  const hasSecondBeside = async (userId: string, name: string): Promise<boolean> => {
    const others = demanding().filter((factor) => factor.name !== name);
    return (await enrolledOf(others, userId)).length > 0;
  };

  return {
    active,
    add: (factor) => void active.push(factor),
    get listings() {
      return [...active.flatMap(({ listing }) => listing ?? []), ...others];
    },
    addListing: (listing) => void others.push(listing),
    portables,
    addPortable: (portable) => void portables.push(portable),
    addSwitchedOff: (records) => void switchedOff.push(records),
    switchedOffInUse: async () => {
      const inUse = await Promise.all(switchedOff.map((records) => records.inUse()));
      return switchedOff.filter((_, index) => inUse[index]);
    },
    hasSecond: async (userId) => (await enrolledOf(demanding(), userId)).length > 0,
    hasSecondBeside,
    enrolled: async (userId) => {
      const asking = await enrolledOf(demanding(), userId);
      if (asking.length === 0) return [];
      const others = active.filter(({ demandsSecond }) => !demandsSecond);
      return [...asking, ...(await enrolledOf(others, userId))];
    },
    present: async (context, presentation) => {
      const { user, answer, occasion, scope } = presentation;
      const { attemptPurpose: purpose } = answer.factor;
      let failures = 0;
      try {
        const made = await attempts.guard(
          { purpose, subject: user.id, ownerUserId: user.id, scope },
          (counted) => {
            failures = counted;
            return answer.factor.verify(context, user, answer.value, occasion);
          },
        );
        return { ...made.value, effects: [made.forget, ...made.value.effects] };
      } catch (error) {
        if (error instanceof Refusal && REPORTED.has(error.code)) {
          refused(context, presentation, error);
        }
        if (error instanceof Refusal && error.code === 'invalid_credentials') {
          await notifyOwner(context, presentation, failures);
        }
        throw error;
      }
    },
    change: async (context, { statements, presented, template, label, factor, event }) => {
      const { user, session } = context.principal;
      const now = clock.now();
      await commit(context, [
        ...statements,
        advanceEpochFrom(user, now),
        ...(event === 'factor.added'
          ? [forgetEnrolmentGrace(user.id), signInMethods.settle(user.id)]
          : []),
        voidOneTimes(user.id, now),
        ...dropPendingAddress(user, now),
        ...endSessions(
          { kind: 'others', userId: user.id, except: session.id },
          'factors_changed',
          now,
        ),
        setSessionFactors(session.id, presented),
        ...emails.notify(context, {
          template,
          to: user.email,
          values: { factor: label, address: placeOf(context) },
        }),
        recorded(event, 'the factors of a user changed', { factor }),
      ]);
    },
    withRemovalOf: async (userId, name) => {
      if (await hasSecondBeside(userId, name)) return [];
      if (mfa.required === 'all') throw new Refusal('last_second_factor');
      return active
        .filter(({ renewBackup }) => renewBackup !== undefined)
        .flatMap((factor) => factor.removeAll(userId));
    },
    renewBackup: async (context, userId) => {
      const backup = active.find(({ renewBackup }) => renewBackup !== undefined);
      return (await backup?.renewBackup?.(context, userId)) ?? { statements: [], codes: [] };
    },
    removeAll: async (context, user) => {
      const now = clock.now();
      await commit(context, [
        ...[...active, ...switchedOff].flatMap((records) => records.removeAll(user.id)),
        attempts.forgetPurpose(user.id, 'second_factor'),
        attempts.forgetPurpose(user.id, 'unguessable_factor'),
        forgetEnrolmentGrace(user.id),
        advanceEpoch(user.id, now),
        voidOneTimes(user.id, now),
        ...dropPendingAddress(user, now),
        ...endSessions({ kind: 'all', userId: user.id }, 'operator', now),
        ...emails.notify(context, {
          template: 'factor_removed',
          to: user.email,
          values: {
            factor: 'every second factor, by those who run the service',
            address: 'the service itself',
          },
        }),
        recorded('factor.all_removed', 'an operator removed every second factor of a user', {
          'user.id': user.id,
        }),
      ]);
      return (await enrolledOf(demanding(), user.id)).map(({ name }) => name);
    },
  };
}

/** Refusals of a second factor that are logged; others are not failed attempts. */
const REPORTED: ReadonlySet<string> = new Set(['invalid_credentials', 'too_many_attempts']);
