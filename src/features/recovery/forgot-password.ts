/** Asking for a reset link: answered alike for everybody, by the same work and one commit (E03). */
import type { Context } from '../../core/context.ts';
import { linkTo } from '../../core/email/emails.ts';
import type { Kernel } from '../../core/kernel.ts';
import { keepNewest } from '../../core/one-time/one-time.ts';
import { insertOneTime, newToken } from '../../core/one-time/issue.ts';
import { parseSignInName } from '../../core/user/sign-in-name.ts';
import { findUserBySignInName } from '../../core/user/user.ts';

export interface RecoverySettings {
  /** The page that takes the links of emails. */
  readonly resetUrl: string;
  /** How long such a link is good, milliseconds. */
  readonly linkTtlMs: number;
}

/** Reset links that may be alive at once. */
const MAX_LIVE = 3;

/**
 * Sends a reset link, if the name has an account with a verified address; the answer says nothing of
 * it. Where the address has had its share of emails, the commit is the same and no link is made.
 */
export function forgotPassword(kernel: Kernel, { resetUrl, linkTtlMs }: RecoverySettings) {
  return async (context: Context, name: string): Promise<void> => {
    const user = await findUserBySignInName(kernel.db, parseSignInName(name));
    const address = user === null || user.disabledAt !== null ? null : user.email;
    const userId = address === null ? null : (user?.id ?? null);
    const token = newToken(kernel.random);
    const requested = kernel.emails.request(context, {
      template: 'reset_password',
      to: address ?? name,
      values: { link: linkTo(resetUrl, token), token },
      group: 'reset',
      ttlMs: linkTtlMs,
      kind: address === null ? 'decoy' : 'real',
    });
    const now = kernel.clock.now();
    const reset = insertOneTime(
      {
        id: kernel.newId(),
        purpose: 'password_reset',
        userId,
        subject: null,
        token: userId === null ? null : token,
        codeHash: null,
        payloadSealed: null,
        now,
        ttlMs: linkTtlMs,
      },
      requested.id,
    );
    const newest = {
      userId: userId ?? '',
      purpose: 'password_reset',
      keep: MAX_LIVE,
      now,
    } as const;
    await kernel.commit(context, [requested.statement, reset, keepNewest(newest)]);
    context.log.write('info', 'password.reset_requested', 'a password reset was requested');
  };
}
