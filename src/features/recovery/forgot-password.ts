/** Asking for a reset link: answered alike for everybody, by the same work and one commit (E03). */
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { parseSignInName } from '../../core/user/sign-in-name.ts';
import { findUserBySignInName } from '../../core/user/user.ts';

/**
 * Sends a reset link, if the name has an account with a verified address; the answer says nothing of
 * it. Where the address has had its share of emails, the commit is the same and no link is made.
 *
 * Its function throws {Refusal} overloaded: the budget of emails is used up, whoever was asked for.
 */
export function forgotPassword({ db, commit, sendResetLink }: Kernel) {
  return async (context: Context, name: string): Promise<void> => {
    const user = await findUserBySignInName(db, parseSignInName(name));
    await commit(context, sendResetLink(context, { user, name }));
    context.log.write('info', 'password.reset_requested', 'a password reset was requested');
  };
}
