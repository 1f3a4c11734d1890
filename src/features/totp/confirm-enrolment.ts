/** Confirming an authenticator app by its first code. */
import { ANYBODY } from '../../core/attempt/attempts.ts';
import type { PrincipalContext } from '../../core/context.ts';
import { withFactor } from '../../core/factor/presented.ts';
import type { Kernel } from '../../core/kernel.ts';
import type { Principal } from '../../core/session/session.ts';
import { SealError } from '../../crypto/seal.ts';
import { Refusal } from '../../refusal.ts';
import { LABEL, PRESENTED, enrolmentPurpose, sealPurpose } from './authenticators.ts';
import type { TotpSettings } from './authenticators.ts';
import { matchingStep } from './code.ts';
import { confirmEnrolment as confirmStatements, findEnrolment } from './store.ts';

/** Before any real step. */
const NO_STEP = -1;

/**
 * Confirms the enrolment with one of its codes, and creates recovery codes.
 *
 * Its function throws {Refusal} invalid_code: wrong, or nothing to confirm; conflict,
 * too_many_attempts, overloaded, session_revoked.
 */
export function confirmEnrolment(kernel: Kernel, { window }: TotpSettings) {
  /** The seed that was shown to this session; null for another session, or a changed account. */
  const openSeed = (principal: Principal, sealed: string): Buffer | null => {
    try {
      return kernel.sealer.open(enrolmentPurpose(principal), sealed);
    } catch (error) {
      if (error instanceof SealError && error.code === 'changed') return null;
      throw error;
    }
  };

  return async (context: PrincipalContext, code: string): Promise<readonly string[]> => {
    const { user, session } = context.principal;
    const key = {
      purpose: 'totp_enrolment',
      subject: user.id,
      ownerUserId: user.id,
      scope: ANYBODY,
    } as const;
    const { value, forget } = await kernel.attempts.guard(key, async () => {
      const now = kernel.clock.now();
      const seen = await findEnrolment(kernel.db, user.id, now);
      const secret = seen === null ? null : openSeed(context.principal, seen);
      const step =
        secret === null ? null : matchingStep(secret, code, { now, window, lastStep: NO_STEP });
      if (seen === null || secret === null || step === null) throw new Refusal('invalid_code');
      const backup = await kernel.factors.renewBackup(context, user.id);
      const secretSealed = kernel.sealer.seal(sealPurpose(user.id), secret);
      const confirmation = confirmStatements({ userId: user.id, seen, secretSealed, step, now });
      return { codes: backup.codes, statements: [...confirmation, ...backup.statements] };
    });
    await kernel.factors.change(context, {
      statements: [...value.statements, forget],
      presented: withFactor(session.factors, PRESENTED),
      template: 'factor_added',
      label: LABEL,
      factor: PRESENTED.factor,
      event: 'factor.added',
    });
    return value.codes;
  };
}
