/** The code that verifies a pending address: its row, and the email that carries it. */
import type { PrincipalContext } from '../../core/context.ts';
import { minutesText } from '../../core/email/emails.ts';
import type { RequestedEmail } from '../../core/email/emails.ts';
import type { Kernel } from '../../core/kernel.ts';
import { insertOneTime, newCode } from '../../core/one-time/issue.ts';
import type { NewOneTime } from '../../core/one-time/issue.ts';
import { CODE_TTL_MS } from '../../core/one-time/one-time.ts';
import { hashJob, hashShare } from '../../core/password/passwords.ts';
import { findUserBySignInName } from '../../core/user/user.ts';
import type { Statement } from '../../db/database.ts';

export const PURPOSE = 'email_verification';

export interface AddressSettings {
  /** The page where users enter the code. */
  readonly verifyUrl: string;
  /** How long an email may wait to be sent, milliseconds. */
  readonly linkTtlMs: number;
}

export interface PendingAddress {
  /** The address as it was typed. */
  readonly address: string;
  readonly canonical: string;
}

/**
 * The statements that send a new code to an address, within its limits. If the address is taken,
 * its owner gets a different email, and no code is sent.
 *
 * @throws {Refusal} overloaded
 */
export async function addressCode(
  kernel: Kernel,
  context: PrincipalContext,
  { verifyUrl, linkTtlMs }: AddressSettings,
  { address, canonical }: PendingAddress,
): Promise<{ readonly statements: readonly Statement[]; readonly issued: NewOneTime }> {
  const { user } = context.principal;
  const code = newCode(kernel.random);
  const job = hashJob(context, hashShare('email_code', user.id));
  const codeHash = await kernel.passwordHasher.hash(code, job);
  const owner = await findUserBySignInName(kernel.db, { kind: 'email', canonical });
  const isTaken = owner !== null && owner.id !== user.id;
  const content: Pick<RequestedEmail, 'template' | 'values'> = isTaken
    ? { template: 'account_exists', values: { link: verifyUrl } }
    : {
        template: 'verify_address',
        values: { code, code_minutes: minutesText(CODE_TTL_MS), link: verifyUrl },
      };
  const requested = kernel.emails.request(context, {
    ...content,
    to: address,
    group: 'address',
    ttlMs: linkTtlMs,
    kind: 'real',
    urgency: 'patient',
  });
  const issued: NewOneTime = {
    id: kernel.newId(),
    purpose: PURPOSE,
    userId: user.id,
    subject: canonical,
    token: null,
    codeHash,
    payloadSealed: null,
    now: kernel.clock.now(),
    ttlMs: linkTtlMs,
  };
  return { statements: [requested.statement, insertOneTime(issued, requested.id)], issued };
}
