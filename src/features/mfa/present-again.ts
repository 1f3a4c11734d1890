/** Presenting a factor again within a session: POST /reauthenticate. */
import { ANYBODY } from '../../core/attempt/attempts.ts';
import type { PrincipalContext } from '../../core/context.ts';
import type { Authenticated } from '../../core/factor/authentication.ts';
import type { FactorAnswer } from '../../core/factor/factor.ts';
import { acrOf } from '../../core/factor/presented.ts';
import type { Kernel } from '../../core/kernel.ts';

/**
 * Presents a factor again within a session.
 *
 * Its function throws {Refusal} invalid_credentials, insufficient_user_authentication,
 * mfa_enrolment_required, session_revoked, too_many_attempts, overloaded.
 */
export function presentAgain({ factors, reauthentication }: Kernel) {
  return async (context: PrincipalContext, answer: FactorAnswer): Promise<Authenticated> => {
    const { user, session } = context.principal;
    // A session without a second factor needs only the password, so anybody who knows it can create
    // many: their guesses count against the account's own counter (N5).
    const hasOwnCounter = answer.factor.kind === 'knowledge' || acrOf(session.factors) === 'aal2';
    const verified = await factors.present(context, {
      user,
      answer,
      occasion: { kind: 'session', id: session.id },
      scope: hasOwnCounter ? { kind: 'session', id: session.id } : ANYBODY,
    });
    return reauthentication.reauthenticate(context, verified);
  };
}
