/** Requesting a sign-in code: the same answer, work and commit for every address (E03). */
import type { Context } from '../../core/context.ts';
import { linkTo, minutesText } from '../../core/email/emails.ts';
import type { RequestedEmail } from '../../core/email/emails.ts';
import type { Kernel } from '../../core/kernel.ts';
import { newCode } from '../../core/one-time/code.ts';
import { insertOneTime, newToken } from '../../core/one-time/issue.ts';
import { keepNewestSignIn } from '../../core/one-time/one-time.ts';
import { sealPayload } from '../../core/one-time/payload.ts';
import { hashJob, hashShare } from '../../core/password/passwords.ts';
import { networkOf } from '../../core/requester.ts';
import { demandEmail } from '../../core/user/sign-in-name.ts';
import { findUserBySignInName } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import { randomToken } from '../../crypto/secret.ts';
import type { EmailCodeSettings } from './settings.ts';

export const SIGN_IN_CODE = 'sign_in';

/** 192 random bits: the code is worth nothing without it (ASVS 6.6.2). */
const ID_BYTES = 24;

/** A placeholder for no user: no user has this id. */
const NOBODY = { id: '', epoch: 0 };

export interface RequestedCode {
  readonly otpId: string;
  readonly expiresInSeconds: number;
}

/** To whom an email goes, and only in which state of the account. */
type Recipient = Pick<RequestedEmail, 'to' | 'onlyFor'> & { readonly userId: string | null };

/**
 * Sends a code, if the address is the verified one of an account that is not disabled, or of none
 * and a code may create one; the answer does not reveal it. Older codes to the address are void
 * then. When the limits of the address are reached, the commit is the same, but no code is created
 * and the older one stays.
 *
 * Its function throws {Refusal} invalid_request; overloaded: the budget of emails is used up,
 * whatever the address.
 */
export function requestCode(kernel: Kernel, settings: EmailCodeSettings) {
  const { db, random, passwordHasher, sealer, emails, clock, commit } = kernel;
  const { form, ttlMs, autoRegister, linkPage } = settings;

  const contentOf = (
    code: string,
    token: string | null,
  ): Pick<RequestedEmail, 'template' | 'values'> => {
    const values = { code, code_minutes: minutesText(ttlMs) };
    if (linkPage === null || token === null) return { template: 'sign_in_code', values };
    return { template: 'sign_in_link', values: { ...values, link: linkTo(linkPage, token) } };
  };

  const recipientOf = (user: User | null, typed: string): Recipient => {
    if (user === null && autoRegister) return { userId: null, to: typed };
    if (user === null || user.disabledAt !== null)
      return { userId: NOBODY.id, to: typed, onlyFor: NOBODY };
    return { userId: user.id, to: user.email ?? typed, onlyFor: user };
  };

  return async (context: Context, email: string): Promise<RequestedCode> => {
    const canonical = demandEmail(email);
    const code = newCode(random, form);
    const token = linkPage === null ? null : newToken(random);
    const job = hashJob(context, hashShare('sign_in_code', networkOf(context.requester)));
    const codeHash = await passwordHasher.hash(code, job);
    const user = await findUserBySignInName(db, { kind: 'email', canonical });
    const { userId, ...recipient } = recipientOf(user, email);
    const requested = emails.request(context, {
      ...recipient,
      ...contentOf(code, token),
      group: 'sign_in_code',
      ttlMs,
      kind: 'real',
      // Strangers can have them sent to any address then.
      urgency: autoRegister ? 'patient' : 'urgent',
    });
    const now = clock.now();
    const otpId = randomToken(random, ID_BYTES);
    const issued = insertOneTime(
      {
        id: otpId,
        purpose: SIGN_IN_CODE,
        userId,
        subject: canonical,
        token,
        codeHash,
        // The address as it was typed becomes that of the account.
        payloadSealed: autoRegister ? sealPayload(sealer, otpId, { email }) : null,
        now,
        ttlMs,
      },
      requested.id,
    );
    await commit(context, [requested.statement, issued, keepNewestSignIn(canonical, now)]);
    context.log.write('info', 'sign_in.code_requested', 'a sign-in code was requested');
    return { otpId, expiresInSeconds: Math.floor(ttlMs / 1000) };
  };
}
