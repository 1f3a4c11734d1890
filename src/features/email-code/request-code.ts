/** Requesting a sign-in code: the same answer, work and commit for every address (E03). */
import type { Context } from '../../core/context.ts';
import { minutesText } from '../../core/email/emails.ts';
import type { Kernel } from '../../core/kernel.ts';
import { insertOneTime, newCode } from '../../core/one-time/issue.ts';
import { CODE_TTL_MS, keepNewest } from '../../core/one-time/one-time.ts';
import { hashJob, hashShare } from '../../core/password/passwords.ts';
import { networkOf } from '../../core/requester.ts';
import { demandEmail } from '../../core/user/sign-in-name.ts';
import { findUserBySignInName } from '../../core/user/user.ts';
import { randomToken } from '../../crypto/secret.ts';

export const SIGN_IN_CODE = 'sign_in';

/** 192 random bits: the code is worth nothing without it (ASVS 6.6.2). */
const ID_BYTES = 24;

/** A placeholder for no user: no user has this id. */
const NOBODY = { id: '', epoch: 0 };

export interface RequestedCode {
  readonly otpId: string;
  readonly expiresInSeconds: number;
}

/**
 * Sends a code, if the address is the verified one of an account that is not disabled; the answer
 * does not reveal it. Older codes of the account are void then. When the limits of the address are
 * reached, the commit is the same, but no code is created and the older one stays.
 *
 * Its function throws {Refusal} invalid_request; overloaded: the budget of emails is used up,
 * whatever the address.
 */
export function requestCode(kernel: Kernel) {
  const { db, random, passwordHasher, emails, clock, commit } = kernel;
  return async (context: Context, email: string): Promise<RequestedCode> => {
    const canonical = demandEmail(email);
    const code = newCode(random);
    const job = hashJob(context, hashShare('sign_in_code', networkOf(context.requester)));
    const codeHash = await passwordHasher.hash(code, job);
    const user = await findUserBySignInName(db, { kind: 'email', canonical });
    const isActive = user !== null && user.disabledAt === null;
    const owner = isActive ? user : NOBODY;
    const requested = emails.request(context, {
      template: 'sign_in_code',
      to: (isActive ? user.email : null) ?? email,
      values: { code, code_minutes: minutesText(CODE_TTL_MS) },
      group: 'sign_in_code',
      ttlMs: CODE_TTL_MS,
      kind: 'real',
      urgency: 'urgent',
      onlyFor: owner,
    });
    const now = clock.now();
    const otpId = randomToken(random, ID_BYTES);
    const issued = insertOneTime(
      {
        id: otpId,
        purpose: SIGN_IN_CODE,
        userId: owner.id,
        subject: canonical,
        token: null,
        codeHash,
        payloadSealed: null,
        now,
        ttlMs: CODE_TTL_MS,
      },
      requested.id,
    );
    const newest = keepNewest({ userId: owner.id, purpose: SIGN_IN_CODE, keep: 1, now });
    await commit(context, [requested.statement, issued, newest]);
    context.log.write('info', 'sign_in.code_requested', 'a sign-in code was requested');
    return { otpId, expiresInSeconds: CODE_TTL_MS / 1000 };
  };
}
