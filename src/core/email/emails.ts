/** Emails for features: notices, and what was requested within the limits of its address. */
import type { Statement } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Context } from '../context.ts';
import { insertNotice, insertRequested, insertSpacedNotice } from './enqueue.ts';
import type { OutboxKeys } from './outbox.ts';
import type { EmailLimits, NewEmail } from './enqueue.ts';
import type { TemplateName, TemplateValues } from './templates.ts';

/** Nobody wants to hear of a change after this. */
const NOTICE_TTL_MS = 3 * 86_400_000;

/** A notice to a user. */
export interface Notice {
  readonly template: TemplateName;
  /** The verified address; null sends nothing. */
  readonly to: string | null;
  readonly values?: TemplateValues;
}

export interface RequestedEmail {
  readonly template: TemplateName;
  readonly to: string;
  readonly values: TemplateValues;
  /** Requests of one kind share an interval and an hourly limit. */
  readonly group: string;
  /** After this it is not sent any more, milliseconds. */
  readonly ttlMs: number;
  /** `decoy` for an address without an account: counted alike, never sent. */
  readonly kind: NewEmail['kind'];
}

export interface Emails {
  /** The statements that notify a user. */
  notify(context: Context, notice: Notice): readonly Statement[];
  /** The same for what can happen any number of times: at most one in an interval. */
  notifySeldom(context: Context, notice: Notice): readonly Statement[];
  /** The statement that writes a requested email, if the limits allow, and the email's id. */
  request(
    context: Context,
    email: RequestedEmail,
  ): { readonly id: string; readonly statement: Statement };
}

export interface EmailDeps extends OutboxKeys {
  readonly clock: Clock;
  readonly newId: () => string;
  readonly limits: EmailLimits;
}

export function createEmails({ clock, newId, limits, ...keys }: EmailDeps): Emails {
  const email = (
    { requester }: Context,
    { to, values, ...rest }: Omit<RequestedEmail, 'group'>,
  ): NewEmail => ({
    id: newId(),
    now: clock.now(),
    recipient: to,
    values: { locale: requester.locale ?? 'en', ...values },
    ...rest,
  });
  const noticeOf = (context: Context, to: string, { template, values = {} }: Notice): NewEmail =>
    email(context, { template, to, values, ttlMs: NOTICE_TTL_MS, kind: 'real' });
  return {
    notify: (context, notice) =>
      notice.to === null ? [] : [insertNotice(keys, noticeOf(context, notice.to, notice))],
    notifySeldom: (context, notice) =>
      notice.to === null
        ? []
        : [insertSpacedNotice(keys, limits.intervalMs, noticeOf(context, notice.to, notice))],
    request: (context, { group, ...requested }) => {
      const made = email(context, requested);
      return { id: made.id, statement: insertRequested(keys, limits, group, made) };
    },
  };
}

/** A link with its token in the fragment, which no server logs and no Referer carries (R06). */
export function linkTo(page: string, token: string): string {
  const url = new URL(page);
  url.hash = new URLSearchParams({ token }).toString();
  return url.href;
}
