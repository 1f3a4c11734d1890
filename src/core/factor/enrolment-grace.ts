/**
 * The time in which somebody may do without the second factor that the policy asks of everybody.
 */
import type { Clock } from '../../lib/clock.ts';
import { Refusal } from '../../refusal.ts';
import type { Commit } from '../commit.ts';
import { beginEnrolmentGrace } from '../user/user.ts';
import type { User } from '../user/user.ts';
import type { MfaPolicy } from './factor.ts';
import type { Factors } from './factors.ts';
import { acrOf } from './presented.ts';
import type { PresentedFactor } from './presented.ts';

export interface EnrolmentGrace {
  /**
   * Until when this user may sign in without; the time begins when it is asked for first.
   *
   * @throws {Refusal} mfa_enrolment_required
   */
  dueAt(user: User): number;
  /**
   * A session without a second factor lasts as long as its user may do without; one from before the
   * policy begins that time too.
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
