/** Removing the authenticator app. */
import type { PrincipalContext } from '../../core/context.ts';
import { withoutFactor } from '../../core/factor/presented.ts';
import { guarded } from '../../core/guards.ts';
import type { Kernel } from '../../core/kernel.ts';
import { Refusal } from '../../refusal.ts';
import { LABEL, PRESENTED } from './authenticators.ts';
import { findTotp, removeTotp } from './store.ts';

/**
 * Removes the authenticator.
 *
 * Its function throws {Refusal} not_found: there is none; last_second_factor, conflict,
 * session_revoked.
 */
export function removeAuthenticator(kernel: Kernel) {
  return async (context: PrincipalContext): Promise<void> => {
    const { user, session } = context.principal;
    const { factor } = PRESENTED;
    if ((await findTotp(kernel.db, user.id)) === null) throw new Refusal('not_found');
    const [authenticator, enrolment] = removeTotp(user.id);
    await kernel.factors.change(context, {
      statements: [
        guarded(authenticator, 'not_found'),
        enrolment,
        ...(await kernel.factors.withRemovalOf(user.id, factor)),
      ],
      presented: withoutFactor(session.factors, factor),
      template: 'factor_removed',
      label: LABEL,
      factor,
      event: 'factor.removed',
    });
  };
}
