/**
 * Helping somebody back in: a link that sets a password, sent to the verified address, or printed
 * for an operator who hands it over. Whoever starts it learns no password and sets none (ASVS
 * 6.4.6).
 */
import { recorded } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import { linkTo, minutesText } from '../../core/email/emails.ts';
import type { Kernel } from '../../core/kernel.ts';
import { insertOneTimeFor, newToken } from '../../core/one-time/issue.ts';
import { keepNewest } from '../../core/one-time/one-time.ts';
import type { User } from '../../core/user/user.ts';
import type { Statement } from '../../db/database.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
import { Refusal } from '../../refusal.ts';
import type { AdminSettings } from './settings.ts';

/** Reset links that may be alive at once; an invitation replaces the one before. */
const MAX_LIVE = { reset: 3, invitation: 1 };

/** What became of a link. */
export type StartedReset =
  | { readonly kind: 'emailed' | 'invited'; readonly to: string }
  | { readonly kind: 'printed'; readonly link: string; readonly expiresAt: number };

type LinkOwner = Pick<User, 'id' | 'epoch' | 'email' | 'pendingEmail'>;

interface IssuedLink {
  readonly link: string;
  readonly expiresAt: number;
  readonly statements: readonly Statement[];
}

function issueLink(
  { clock, random, newId, emails }: Kernel,
  context: Context,
  { resetUrl, linkTtlMs, invitationTtlMs }: AdminSettings,
  { kind, user }: { readonly kind: 'reset' | 'invitation' | 'printed'; readonly user: LinkOwner },
): IssuedLink {
  const isInvitation = kind === 'invitation';
  const ttlMs = isInvitation ? invitationTtlMs : linkTtlMs;
  const address = isInvitation ? user.pendingEmail : user.email;
  const now = clock.now();
  const token = newToken(random);
  const link = linkTo(resetUrl, token);
  const issued = insertOneTimeFor(
    user,
    {
      id: newId(),
      purpose: 'password_reset',
      userId: user.id,
      // Of an invitation the address that it verifies.
      subject: isInvitation && address !== null ? canonicalEmail(address) : null,
      token,
      codeHash: null,
      payloadSealed: null,
      now,
      ttlMs,
    },
    'conflict',
  );
  const notice = {
    template: isInvitation ? ('invitation' as const) : ('reset_password' as const),
    to: address,
    values: { link, link_minutes: minutesText(ttlMs), token },
    ttlMs,
  };
  const keep = isInvitation ? MAX_LIVE.invitation : MAX_LIVE.reset;
  return {
    link,
    expiresAt: now + ttlMs,
    statements: [
      issued,
      keepNewest({ userId: user.id, purpose: 'password_reset', keep, now }),
      ...(kind === 'printed' ? [] : emails.notify(context, notice)),
    ],
  };
}

/** The statements that invite the owner of the pending address to choose a password. */
export function invite(
  kernel: Kernel,
  context: Context,
  settings: AdminSettings,
  user: LinkOwner,
): readonly Statement[] {
  return issueLink(kernel, context, settings, { kind: 'invitation', user }).statements;
}

/**
 * Whether nobody can sign in to the account and nobody ever could: it waits for its invitation to
 * be used. An address that a user claims beside a password proves nothing (G10).
 */
export async function isUnclaimed(
  { factors, signInMethods }: Kernel,
  user: User,
): Promise<boolean> {
  if (user.email !== null || user.pendingEmail === null) return false;
  // Whoever has its session may have chosen somebody else's address.
  if (user.anonymousAt !== null) return false;
  if ((await signInMethods.ofUser(user.id)).length > 0) return false;
  const enrolled = await Promise.all(factors.active.map((factor) => factor.enrolled(user.id)));
  return !enrolled.includes(true);
}

/**
 * Sends a link to the verified address, or the invitation once more. Without an address the link is
 * printed if `without` says so, else refused.
 *
 * Its function throws {Refusal} account_disabled, no_verified_address, conflict.
 */
export function startReset(kernel: Kernel, settings: AdminSettings) {
  return async (
    context: Context,
    user: User,
    without: 'print' | 'refuse',
  ): Promise<StartedReset> => {
    if (user.disabledAt !== null) throw new Refusal('account_disabled');
    return begin(context, user, without);
  };

  async function begin(
    context: Context,
    user: User,
    without: 'print' | 'refuse',
  ): Promise<StartedReset> {
    const issue = (kind: 'reset' | 'invitation' | 'printed'): IssuedLink =>
      issueLink(kernel, context, settings, { kind, user });
    const record = (reason: StartedReset['kind']): Statement =>
      recorded('password.reset_started', 'an operator started a password reset', {
        'user.id': user.id,
        reason,
      });
    if (user.email !== null) {
      await kernel.commit(context, [...issue('reset').statements, record('emailed')]);
      return { kind: 'emailed', to: user.email };
    }
    if (user.pendingEmail !== null && (await isUnclaimed(kernel, user))) {
      await kernel.commit(context, [...issue('invitation').statements, record('invited')]);
      return { kind: 'invited', to: user.pendingEmail };
    }
    if (without === 'refuse') throw new Refusal('no_verified_address');
    const { link, expiresAt, statements } = issue('printed');
    await kernel.commit(context, [...statements, record('printed')]);
    return { kind: 'printed', link, expiresAt };
  }
}
