/** Sends emails for features: notices, and requested emails within the limits of their address. */
import type { Statement } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Context } from '../context.ts';
import { networkOf, widerNetworkOf } from '../requester.ts';
import type { Requester } from '../requester.ts';
import type { User } from '../user/user.ts';
import { insertNotice, insertRequested, insertSpacedNotice, recipientKey } from './enqueue.ts';
import type { EmailLimits, EmailRequest, NewEmail } from './enqueue.ts';
import { forgetRecipient } from './outbox.ts';
import type { OutboxKeys } from './outbox.ts';
import type { TemplateName, TemplateValues } from './templates.ts';

/** A notice is not sent any more after this time. */
const NOTICE_TTL_MS = 3 * 86_400_000;

/** A notice to a user. */
export interface Notice {
  readonly template: TemplateName;
  /** The verified address; null sends nothing. */
  readonly to: string | null;
  readonly values?: TemplateValues;
  /** After this it is not sent any more, milliseconds; three days if it isn't said. */
  readonly ttlMs?: number;
}

export interface RequestedEmail {
  readonly template: TemplateName;
  readonly to: string;
  readonly values: TemplateValues;
  /** Requests of one kind share an interval and an hourly limit. */
  readonly group: string;
  /** Milliseconds after which it is not sent any more. */
  readonly ttlMs: number;
  /** `decoy` for an address without an account: counted like others, never sent. */
  readonly kind: EmailRequest['kind'];
  /** `patient` for emails that strangers can request in large numbers. */
  readonly urgency: EmailRequest['urgency'];
  /** If set, it is sent only while the user is still in the state that was read. */
  readonly onlyFor?: Pick<User, 'id' | 'epoch'>;
}

export interface Emails {
  /** The statements that notify a user. */
  notify(context: Context, notice: Notice): readonly Statement[];
  /** The same for a change that can be repeated: at most one email in an interval. */
  notifySeldom(context: Context, notice: Notice): readonly Statement[];
  /**
   * The statement that writes a requested email (a decoy if a limit applies), and the email's id.
   * The commit is refused with `overloaded` when the hourly budget is used up.
   */
  request(
    context: Context,
    email: RequestedEmail,
  ): { readonly id: string; readonly statement: Statement };
  /** A keyed hash of an address: by it the outbox finds what waits for one. */
  keyOf(address: string): string;
  /** The statements that erase unsent emails to a verified address. */
  forget(address: string | null): readonly Statement[];
}

export interface EmailDeps extends OutboxKeys {
  readonly clock: Clock;
  readonly newId: () => string;
  readonly limits: EmailLimits;
}

export function createEmails({ clock, newId, limits, ...keys }: EmailDeps): Emails {
  const email = (
    { requester }: Context,
    { to, values, template, ttlMs }: Pick<RequestedEmail, 'to' | 'values' | 'template' | 'ttlMs'>,
  ): NewEmail => ({
    id: newId(),
    now: clock.now(),
    recipient: to,
    template,
    values: { locale: requester.locale ?? 'en', ...values },
    ttlMs,
  });
  const noticeOf = (context: Context, to: string, notice: Notice): NewEmail =>
    email(context, { values: {}, ttlMs: NOTICE_TTL_MS, ...notice, to });
  return {
    notify: (context, notice) =>
      notice.to === null ? [] : [insertNotice(keys, noticeOf(context, notice.to, notice))],
    notifySeldom: (context, notice) =>
      notice.to === null
        ? []
        : [insertSpacedNotice(keys, limits.intervalMs, noticeOf(context, notice.to, notice))],
    request: (context, requested) => {
      const made = email(context, requested);
      const request = { ...requested, network: emailNetworkOf(context.requester) };
      return { id: made.id, statement: insertRequested(keys, limits, request, made) };
    },
    keyOf: (address) => recipientKey(keys.derivedKey, address),
    forget: (address) =>
      address === null
        ? []
        : [forgetRecipient(recipientKey(keys.derivedKey, address), clock.now())],
  };
}

/** The network whose share of emails a request uses: an IPv6 customer often has a whole /48. */
export function emailNetworkOf(requester: Pick<Requester, 'ip'>): string | null {
  return requester.ip === null ? null : (widerNetworkOf(requester) ?? networkOf(requester));
}

/** For the text of an email: how long its code or link is valid, in whole minutes. */
export function minutesText(milliseconds: number): string {
  return String(Math.floor(milliseconds / 60_000));
}

/** A link with its token in the fragment, which no server logs and no Referer contains (R06). */
export function linkTo(page: string, token: string): string {
  const url = new URL(page);
  url.hash = new URLSearchParams({ token }).toString();
  return url.href;
}
