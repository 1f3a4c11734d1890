/** Adding a password to an account that has none. */
import type { PrincipalContext } from '../../core/context.ts';
import { guarded, unique } from '../../core/guards.ts';
import type { Kernel } from '../../core/kernel.ts';
import { insertPassword } from '../../core/password/credential.ts';
import { PRESENTED_PASSWORD, hashJob, hashShare } from '../../core/password/passwords.ts';

/**
 * Adds a password, in a session that is fresh. The other sessions end, and the user is notified.
 *
 * Its function throws {Refusal} insufficient_user_authentication, invalid_request; conflict: the
 * account has one meanwhile, or was changed; overloaded, session_revoked.
 */
export function addPassword(kernel: Kernel) {
  const { passwords, passwordHasher, factors, reauthentication } = kernel;
  return async (context: PrincipalContext, newPassword: string): Promise<void> => {
    const { user, session } = context.principal;
    await reauthentication.demandFresh(context.principal, session.authTime / 1000);
    const password = await passwords.accept(newPassword, user, '/new_password');
    const job = hashJob(context, hashShare('password', user.id));
    const passwordHash = await passwordHasher.hash(password, job);
    const inserted = insertPassword({ userId: user.id, passwordHash, now: kernel.clock.now() });
    await factors.change(context, {
      statements: [guarded(unique(inserted, 'conflict'), 'conflict')],
      presented: session.factors,
      template: 'factor_added',
      label: 'a password',
      factor: PRESENTED_PASSWORD.factor,
      event: 'factor.added',
    });
  };
}
