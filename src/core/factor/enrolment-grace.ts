/**
 * The time in which somebody may do without the second factor that the policy asks of everybody.
 */
import { Refusal } from '../../refusal.ts';
import type { AuthenticationDeps } from './authentication-deps.ts';
import { hasSecondFactor } from './second-factor.ts';
import { findPrincipal } from '../session/session.ts';
import { beginMfaGrace } from '../user/user.ts';
import type { User } from '../user/user.ts';

/**
 * Until when this user may come in without; the time begins with the first time that it is asked
 * for. @throws {Refusal} mfa_enrolment_required
 */
export function mfaDueAt(
  { policy, clock }: Pick<AuthenticationDeps, 'policy' | 'clock'>,
  user: User,
): number {
  const now = clock.now();
  const dueAt = user.mfaDueAt ?? now + policy.mfa.graceMs;
  if (dueAt <= now) throw new Refusal('mfa_enrolment_required');
  return dueAt;
}

/**
 * A session without a second factor lasts as long as its user may do without. One from before the
 * policy begins that time too.
 *
 * @throws {Refusal} mfa_enrolment_required
 */
export async function demandEnrolled(
  deps: AuthenticationDeps,
  user: User,
  amr: readonly string[],
): Promise<void> {
  if (
    deps.policy.mfa.required !== 'all' ||
    amr.includes('mfa') ||
    (await hasSecondFactor(deps, user.id))
  )
    return;
  const dueAt = mfaDueAt(deps, user);
  if (user.mfaDueAt === null) await deps.db.write([beginMfaGrace(user.id, dueAt)]);
}

/**
 * The same for the session of a refresh token; one that is over is refused by what comes next.
 * @throws {Refusal} mfa_enrolment_required
 */
export async function demandEnrolledSession(
  deps: AuthenticationDeps,
  { sessionId, userId }: { sessionId: string; userId: string },
): Promise<void> {
  const principal = await findPrincipal(deps, sessionId, userId);
  if (principal !== null) await demandEnrolled(deps, principal.user, principal.session.amr);
}
