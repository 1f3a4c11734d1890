/** Presenting a factor again within a session: POST /reauthenticate. */
import { ANYBODY } from '../../core/attempt/attempts.ts';
import type { PrincipalContext } from '../../core/context.ts';
import type { Authenticated } from '../../core/factor/authentication.ts';
import type { Factor, VerifiedFactor } from '../../core/factor/factor.ts';
import { acrOf } from '../../core/factor/presented.ts';
import type { PresentedAgain } from '../../core/factor/sign-in-methods.ts';
import type { Kernel } from '../../core/kernel.ts';

/** A factor, or a sign-in method that is none, with what the request presents. */
export interface AgainAnswer {
  readonly factor: Factor | PresentedAgain;
  /** The output of its schema. */
  readonly value: unknown;
}

/**
 * Presents a factor again within a session, or the sign-in method of an account without a password.
 *
 * Its function throws {Refusal} invalid_credentials, insufficient_user_authentication,
 * mfa_enrolment_required, session_revoked, too_many_attempts, overloaded, and the `problems` of the
 * method.
 */
export function presentAgain({ factors, reauthentication }: Kernel) {
  const present = (context: PrincipalContext, answer: AgainAnswer): Promise<VerifiedFactor> => {
    const { factor, value } = answer;
    if (!('kind' in factor)) return factor.verify(context, value);
    const { user, session } = context.principal;
    // A session without a second factor needs only the password, so anybody who knows it can create
    // many: their guesses count against the account's own counter (N5).
    const hasOwnCounter = factor.kind === 'knowledge' || acrOf(session.factors) === 'aal2';
    return factors.present(context, {
      user,
      answer: { factor, value },
      occasion: { kind: 'session', id: session.id },
      scope: hasOwnCounter ? { kind: 'session', id: session.id } : ANYBODY,
    });
  };
  return async (context: PrincipalContext, answer: AgainAnswer): Promise<Authenticated> =>
    reauthentication.reauthenticate(context, await present(context, answer));
}
