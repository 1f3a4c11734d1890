/** Sends text messages for features: queued like emails, in a lane of their own, under the rules. */
import { and, sql } from 'drizzle-orm';
import { keyedHash } from '../../crypto/keyed-hash.ts';
import type { Statement } from '../../db/database.ts';
import { given } from '../../db/prepare.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Committed } from '../commit.ts';
import type { Context } from '../context.ts';
import { emailNetworkOf } from '../email/emails.ts';
import {
  NEXT_SEQ,
  allHaveRoom,
  insertIf,
  isInState,
  networkHasRoom,
  recipientKey,
  rowOf,
  waking,
} from '../email/enqueue.ts';
import type { EmailLimits } from '../email/enqueue.ts';
import { SMS_LANE } from '../email/lanes.ts';
import { SETTLED_EMAILS_KEPT_MS, sealPurpose } from '../email/outbox.ts';
import type { OutboxKeys } from '../email/outbox.ts';
import type { SmsTemplateName, TemplateValues } from '../email/templates.ts';
import { guarded } from '../guards.ts';
import { networkOf } from '../requester.ts';
import type { User } from '../user/user.ts';
import type { DemandPhone, PhoneNumber } from './number.ts';
import { decideSms, dropDenied, isAllowed, noteVerified } from './rules.ts';
import type { SmsLimits } from './rules.ts';

export interface RequestedSms {
  /** The id of the one-time row whose code it carries. */
  readonly id: string;
  readonly template: SmsTemplateName;
  readonly to: PhoneNumber;
  /** `new` for a number that is not verified here, which the rules of its country count. */
  readonly number: 'new' | 'known';
  readonly values: TemplateValues;
  /** Milliseconds after which it is not sent any more. */
  readonly ttlMs: number;
  /** Whose limit counts it; null for nobody. */
  readonly accountId: string | null;
  /** `decoy` where there is nobody to send it to: counted like others, never sent. */
  readonly kind: 'real' | 'decoy';
  /** If set, it is sent only while the user is still in the state that was read. */
  readonly onlyFor?: Pick<User, 'id' | 'epoch'>;
}

export interface QueuedSms {
  /** The id in the outbox. */
  readonly outboxId: string;
  /** In this order, before those that depend on whether it is sent. */
  readonly statements: readonly Statement[];
  /** Logs the rule that denied it, if one did. */
  report(context: Context, committed: Committed): void;
}

export interface Sms {
  /** @throws {Refusal} invalid_request */
  readonly demandPhone: DemandPhone;
  /**
   * The statements that write a message: a decoy where a rule denies it. The commit is refused with
   * `overloaded` when the hourly budget of the outbox is used up.
   */
  request(context: Context, sms: RequestedSms): QueuedSms;
  /** The statements when the code of a one-time row came back. */
  verified(id: string): readonly Statement[];
}

export interface SmsDeps extends OutboxKeys {
  readonly clock: Clock;
  readonly newId: () => string;
  readonly demandPhone: DemandPhone;
  readonly limits: SmsLimits;
  /** The outbox's budget bounds the rows that strangers can cause. */
  readonly budget: Pick<EmailLimits, 'maxPerNetwork' | 'maxRequested'>;
}

const isSent = sql`(is_allowed AND ${given('kind')} = 'real' AND ${isInState})`;
const insert = insertIf(
  rowOf({
    kind: sql`CASE WHEN ${isSent} THEN 'real' ELSE 'decoy' END`,
    limitGroup: sql`''`,
    recipient: sql`CASE WHEN ${isSent} THEN ${given('recipient')} ELSE '' END`,
    seq: NEXT_SEQ,
    payloadSealed: sql`CASE WHEN ${isSent} THEN ${given('payloadSealed')} ELSE ${given('decoySealed')} END`,
  }),
  sql`(SELECT ${isAllowed} AS is_allowed)`,
  and(networkHasRoom, allHaveRoom),
);

export function createSms({ clock, newId, demandPhone, limits, budget, ...keys }: SmsDeps): Sms {
  const { sealer, derivedKey } = keys;
  const hash = (what: string, value: string): string => keyedHash(derivedKey, what, value);

  const rowValues = (context: Context, sms: RequestedSms, id: string) => {
    const { template, kind, to, onlyFor } = sms;
    const recipient = to.e164;
    const now = clock.now();
    const values = { locale: context.requester.locale ?? 'en', ...sms.values };
    const content = Buffer.from(JSON.stringify(values));
    const network = emailNetworkOf(context.requester);
    const expiresAt = now + sms.ttlMs;
    return {
      ...budget,
      id,
      messageId: sms.id,
      template,
      kind,
      recipient,
      recipientKey: recipientKey(derivedKey, recipient),
      // Countries take turns in the lane, as domains do.
      domain: to.country,
      requesterKey: network === null ? '' : hash('requester', network),
      lane: SMS_LANE.first,
      spared: budget.maxPerNetwork - 1,
      payloadSealed: sealer.seal(sealPurpose({ id, template, recipient }), content),
      decoySealed: sealer.seal(sealPurpose({ id, template, recipient: '' }), content),
      userId: onlyFor?.id ?? null,
      epoch: onlyFor?.epoch ?? null,
      now,
      expiresAt,
      purgeAt: Math.max(expiresAt, now + SETTLED_EMAILS_KEPT_MS),
    };
  };

  return {
    demandPhone,
    request: (context, sms) => {
      const decided = decideSms(limits, {
        id: sms.id,
        kind: sms.kind,
        country: sms.to.country,
        isNew: sms.number === 'new' ? 1 : 0,
        numberKey: recipientKey(derivedKey, sms.to.e164),
        accountKey: sms.accountId === null ? '' : hash('sms account', sms.accountId),
        networkKey: hash('sms network', networkOf(context.requester)),
        now: clock.now(),
      });
      const outboxId = newId();
      const row = insert(rowValues(context, sms, outboxId));
      return {
        outboxId,
        statements: [decided, waking(guarded(row, 'overloaded')), dropDenied(sms.id)],
        report: ({ log }, committed) => {
          const rule = committed.rowsOf(decided)[0]?.denied ?? null;
          if (rule === null) return;
          const fields = { reason: rule, country: sms.to.country };
          const level = rule === 'number' || rule === 'account' ? 'info' : 'warn';
          log.write(level, 'sms.denied', 'a text message was not sent: a limit', fields);
        },
      };
    },
    verified: (id) => noteVerified(id, clock.now()),
  };
}
