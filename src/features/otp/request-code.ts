/** Requesting a sign-in code: the same answer, work and commit for every address or number (E03). */
import type { Committed } from '../../core/commit.ts';
import type { Context } from '../../core/context.ts';
import { linkTo, minutesText } from '../../core/email/emails.ts';
import type { RequestedEmail } from '../../core/email/emails.ts';
import type { Kernel } from '../../core/kernel.ts';
import { newCode } from '../../core/one-time/code.ts';
import { OTP_ID_BYTES, insertOneTime, newToken } from '../../core/one-time/issue.ts';
import { keepNewestSignIn } from '../../core/one-time/one-time.ts';
import { sealPayload } from '../../core/one-time/payload.ts';
import { hashJob, hashShare } from '../../core/password/passwords.ts';
import { networkOf } from '../../core/requester.ts';
import type { PhoneNumber } from '../../core/sms/number.ts';
import type { Sms } from '../../core/sms/sms.ts';
import { demandEmail } from '../../core/user/sign-in-name.ts';
import { findUserBySignInName } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import { randomToken } from '../../crypto/secret.ts';
import type { Statement } from '../../db/database.ts';
import { invalidRequest } from '../../refusal.ts';
import { SIGN_IN_CODE } from './code-kind.ts';
import type { Channels, OtpSettings } from './settings.ts';

/** A placeholder for no user: no user has this id. */
const NOBODY = { id: '', epoch: 0 };

export interface RequestedCode {
  readonly otpId: string;
  readonly expiresInSeconds: number;
}

/** Where a code is wanted: one of the two. */
export interface WantedCode {
  readonly email?: string | undefined;
  readonly phone?: string | undefined;
}

/** To what a code goes. */
type Target =
  | { readonly kind: 'email'; readonly canonical: string; readonly typed: string }
  | { readonly kind: 'phone'; readonly canonical: string; readonly number: ServedNumber };

/** A number, and what sends messages to it. */
interface ServedNumber extends PhoneNumber {
  readonly sms: Sms;
}

interface ToEmail {
  readonly typed: string;
  readonly user: User | null;
}

interface ToPhone {
  readonly number: ServedNumber;
  readonly user: User | null;
}

/** A code that is to be sent. */
interface Outgoing {
  readonly otpId: string;
  readonly code: string;
  readonly token: string | null;
}

/** What the commit has of a message. */
interface Queued {
  readonly outboxId: string;
  readonly statements: readonly Statement[];
  readonly report: (context: Context, committed: Committed) => void;
}

/** For whom a message is: nobody, whoever reads it, or one user in one state. */
interface Recipient {
  readonly userId: string | null;
  readonly onlyFor?: Pick<User, 'id' | 'epoch'>;
}

/**
 * Sends a code, if the address or number is the verified one of an account that is not disabled, or
 * of none and a code may create one; the answer does not reveal it. Older codes to it are void then.
 * When a limit is reached, the commit is the same, but no code is created and the older one stays.
 *
 * Its function throws {Refusal} invalid_request; overloaded: the budget of messages is used up,
 * whatever the address.
 */
export function requestCode(kernel: Kernel, { email, sms }: Channels, settings: OtpSettings) {
  const { db, random, passwordHasher, sealer, emails, clock, commit } = kernel;
  const { form, ttlMs, autoRegister, linkPage } = settings;

  /** @throws {Refusal} invalid_request */
  const targetOf = (wanted: WantedCode): Target => {
    if (wanted.phone !== undefined && wanted.email === undefined && sms !== null) {
      const number = { sms, ...sms.demandPhone(wanted.phone) };
      return { kind: 'phone', canonical: number.e164, number };
    }
    if (wanted.email !== undefined && wanted.phone === undefined && email)
      return { kind: 'email', canonical: demandEmail(wanted.email), typed: wanted.email };
    const detail = 'Send either email or phone.';
    throw invalidRequest({ pointer: '/email', code: 'required', detail });
  };

  const recipientOf = (user: User | null): Recipient => {
    if (user === null && autoRegister) return { userId: null };
    if (user === null || user.disabledAt !== null) return { userId: NOBODY.id, onlyFor: NOBODY };
    return { userId: user.id, onlyFor: user };
  };

  const contentOf = ({ code, token }: Outgoing): Pick<RequestedEmail, 'template' | 'values'> => {
    const values = { code, code_minutes: minutesText(ttlMs) };
    if (linkPage === null || token === null) return { template: 'sign_in_code', values };
    return { template: 'sign_in_link', values: { ...values, link: linkTo(linkPage, token) } };
  };

  const queueEmail = (context: Context, outgoing: Outgoing, { typed, user }: ToEmail): Queued => {
    const { userId: _, ...only } = recipientOf(user);
    const isKnown = user !== null && user.disabledAt === null;
    const { id, statement } = emails.request(context, {
      ...only,
      to: isKnown ? (user.email ?? typed) : typed,
      ...contentOf(outgoing),
      group: 'sign_in_code',
      ttlMs,
      kind: 'real',
      // Strangers can have them sent to any address then.
      urgency: autoRegister ? 'patient' : 'urgent',
    });
    return { outboxId: id, statements: [statement], report: () => undefined };
  };

  const queueSms = (context: Context, outgoing: Outgoing, { number, user }: ToPhone): Queued => {
    const { userId, ...only } = recipientOf(user);
    return number.sms.request(context, {
      ...only,
      id: outgoing.otpId,
      template: 'sms_sign_in_code',
      to: number,
      // Whether it is known here must not show in what the rules let through.
      number: autoRegister ? 'new' : 'known',
      values: { code: outgoing.code, code_minutes: minutesText(ttlMs) },
      ttlMs,
      accountId: null,
      kind: userId === NOBODY.id ? 'decoy' : 'real',
    });
  };

  return async (context: Context, wanted: WantedCode): Promise<RequestedCode> => {
    const target = targetOf(wanted);
    const { kind, canonical } = target;
    const code = newCode(random, form);
    const token = linkPage === null || kind === 'phone' ? null : newToken(random);
    const job = hashJob(context, hashShare('sign_in_code', networkOf(context.requester)));
    const codeHash = await passwordHasher.hash(code, job);
    const user = await findUserBySignInName(db, { kind, canonical });
    const otpId = randomToken(random, OTP_ID_BYTES);
    const outgoing = { otpId, code, token };
    const queued =
      target.kind === 'email'
        ? queueEmail(context, outgoing, { typed: target.typed, user })
        : queueSms(context, outgoing, { number: target.number, user });
    const now = clock.now();
    const issued = insertOneTime(
      {
        id: otpId,
        purpose: SIGN_IN_CODE,
        userId: recipientOf(user).userId,
        subject: canonical,
        token,
        codeHash,
        // The address as it was typed becomes that of the account.
        payloadSealed:
          autoRegister && target.kind === 'email'
            ? sealPayload(sealer, otpId, { email: target.typed })
            : null,
        now,
        ttlMs,
      },
      queued.outboxId,
    );
    const newest = keepNewestSignIn(canonical, now);
    const done = await commit(context, [...queued.statements, issued, newest]);
    queued.report(context, done);
    context.log.write('info', 'sign_in.code_requested', 'a sign-in code was requested');
    return { otpId, expiresInSeconds: Math.floor(ttlMs / 1000) };
  };
}
