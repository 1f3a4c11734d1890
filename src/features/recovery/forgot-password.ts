/** Requesting a reset link: the same answer, work and commit for every name (E03). */
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { parseSignInName } from '../../core/user/sign-in-name.ts';
import { findUserBySignInName } from '../../core/user/user.ts';

/**
 * Sends a reset link, if the name has an account with a verified address; the answer does not
 * reveal it. When the limits of the address are reached, the commit is the same but no link is
 * created.
 *
 * Its function throws {Refusal} overloaded: the budget of emails is used up, whatever the name.
 */
export function forgotPassword({ db, commit, sendResetLink }: Kernel) {
  return async (context: Context, name: string): Promise<void> => {
    const user = await findUserBySignInName(db, parseSignInName(name));
    await commit(context, sendResetLink(context, { user, name }));
    context.log.write('info', 'password.reset_requested', 'a password reset was requested');
  };
}
