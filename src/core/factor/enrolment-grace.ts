/**
 * The grace: the time in which a user may sign in without the second factor that the policy
 * requires of everybody.
 */
import { beginEnrolmentGrace } from '../user/mfa-deadline.ts';
import type { Clock } from '../../lib/clock.ts';
import { Refusal } from '../../refusal.ts';
import type { Commit } from '../commit.ts';
import type { User } from '../user/user.ts';
import type { MfaPolicy } from './factor.ts';
import type { Factors } from './factors.ts';
import { acrOf } from './presented.ts';
import type { PresentedFactor } from './presented.ts';

export interface EnrolmentGrace {
  /**
   * Until when this user may sign in without it; the grace begins with the first sign-in that needs
   * it.
   *
   * @throws {Refusal} mfa_enrolment_required
   */
  dueAt(user: User): number;
  /**
   * A session without a second factor can't outlast its user's grace; a session from before the
   * policy starts the grace too.
   *
   * @throws {Refusal} mfa_enrolment_required
   */
  demand(user: User, presented: readonly PresentedFactor[]): Promise<void>;
}

export interface EnrolmentGraceDeps {
  readonly clock: Clock;
  readonly commit: Commit;
  readonly factors: Pick<Factors, 'hasSecond'>;
  readonly mfa: MfaPolicy;
}

export function createEnrolmentGrace(deps: EnrolmentGraceDeps): EnrolmentGrace {
  const { clock, commit, factors, mfa } = deps;
  const dueAt = (user: User): number => {
    const now = clock.now();
    const due = user.mfaDueAt ?? now + mfa.graceMs;
    if (due <= now) throw new Refusal('mfa_enrolment_required');
    return due;
  };
  return {
    dueAt,
    demand: async (user, presented) => {
      if (mfa.required !== 'all' || acrOf(presented) === 'aal2') return;
      if (await factors.hasSecond(user.id)) return;
      const due = dueAt(user);
      if (user.mfaDueAt === null) await commit.inAnySession([beginEnrolmentGrace(user.id, due)]);
    },
  };
}
