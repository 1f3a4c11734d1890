/** Replacing the recovery codes with a new set. */
import type { PrincipalContext } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { Refusal } from '../../refusal.ts';
import { PRESENTED } from './factor.ts';

/**
 * A new set of recovery codes, which replaces the old one.
 *
 * Its function throws {Refusal} no_second_factor: there is no factor that they could replace;
 * conflict, overloaded, session_revoked.
 */
export function renewCodes({ factors }: Kernel) {
  return async (context: PrincipalContext): Promise<readonly string[]> => {
    const { user, session } = context.principal;
    if (!(await factors.hasSecond(user.id))) throw new Refusal('no_second_factor');
    const { statements, codes } = await factors.renewBackup(context, user.id);
    await factors.change(context, {
      statements,
      presented: session.factors,
      template: 'recovery_codes_renewed',
      label: 'recovery codes',
      factor: PRESENTED.factor,
      event: 'factor.renewed',
    });
    return codes;
  };
}
