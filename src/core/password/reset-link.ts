/**
 * The link that sets a new password: requested by a user who forgot it, or sent when one is
 * required.
 */
import type { Statement } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/id.ts';
import type { Context } from '../context.ts';
import { linkTo, minutesText } from '../email/emails.ts';
import type { Emails } from '../email/emails.ts';
import { insertOneTime, newToken } from '../one-time/issue.ts';
import { keepNewest } from '../one-time/one-time.ts';
import type { User } from '../user/user.ts';

export interface ResetLinkSettings {
  /** The page to which links in emails lead. */
  readonly resetUrl: string;
  /** Lifetime of a link, milliseconds. */
  readonly linkTtlMs: number;
}

/** Maximum number of live reset links of a user. */
const MAX_LIVE = 3;

/** A placeholder for no user: no user has this id. */
const NOBODY = { id: '', epoch: 0 };

export interface ResetLinkDeps extends ResetLinkSettings {
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: () => string;
  readonly emails: Pick<Emails, 'request'>;
}

/** The link is for this account, and only while it is in this state. */
type ResetUser = Pick<User, 'id' | 'email' | 'epoch' | 'disabledAt'>;

/** Makes the statements that send a link. */
export type SendResetLink = (
  context: Context,
  /** `name` is the requested name: it is used where no user with a verified address exists. */
  to: { readonly user: ResetUser | null; readonly name: string },
) => readonly Statement[];

/**
 * The same statements, and thereby the same work, for every name (E03). The link is created, and
 * its email sent, only if the user is still in the state that was read: an address that was
 * replaced meanwhile receives none.
 */
export function createResetLink(deps: ResetLinkDeps): SendResetLink {
  const { clock, random, newId, emails, resetUrl, linkTtlMs } = deps;
  return (context, { user, name }) => {
    const address = user === null || user.disabledAt !== null ? null : user.email;
    const owner = address === null || user === null ? NOBODY : user;
    const token = newToken(random);
    const requested = emails.request(context, {
      template: 'reset_password',
      to: address ?? name,
      values: { link: linkTo(resetUrl, token), link_minutes: minutesText(linkTtlMs), token },
      group: 'reset',
      ttlMs: linkTtlMs,
      kind: 'real',
      urgency: 'urgent',
      onlyFor: owner,
    });
    const now = clock.now();
    const reset = insertOneTime(
      {
        id: newId(),
        purpose: 'password_reset',
        userId: owner.id,
        subject: null,
        token,
        codeHash: null,
        payloadSealed: null,
        now,
        ttlMs: linkTtlMs,
      },
      requested.id,
    );
    const newest = {
      userId: owner.id,
      purpose: 'password_reset',
      keep: MAX_LIVE,
      now,
    } as const;
    return [requested.statement, reset, keepNewest(newest)];
  };
}
