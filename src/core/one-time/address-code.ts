/** The code that verifies a pending address: its row, and the email that carries it. */
import type { Context } from '../context.ts';
import { minutesText } from '../email/emails.ts';
import type { RequestedEmail } from '../email/emails.ts';
import type { Kernel } from '../kernel.ts';
import { newCode } from './code.ts';
import { insertOneTime } from './issue.ts';
import type { NewOneTime } from './issue.ts';
import { CODE_TTL_MS } from './one-time.ts';
import { hashJob, hashShare } from '../password/passwords.ts';
import { findUserBySignInName } from '../user/user.ts';
import type { Statement } from '../../db/database.ts';

export const ADDRESS_CODE = 'email_verification';

export interface AddressSettings {
  /** The page where users enter the code. */
  readonly verifyUrl: string;
  /** How long an email may wait to be sent, milliseconds. */
  readonly linkTtlMs: number;
}

export interface PendingAddress {
  /** Whose it is going to be. */
  readonly userId: string;
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
  context: Context,
  { verifyUrl, linkTtlMs }: AddressSettings,
  { userId, address, canonical }: PendingAddress,
): Promise<{ readonly statements: readonly Statement[]; readonly issued: NewOneTime }> {
  const code = newCode(kernel.random);
  const job = hashJob(context, hashShare('email_code', userId));
  const codeHash = await kernel.passwordHasher.hash(code, job);
  const owner = await findUserBySignInName(kernel.db, { kind: 'email', canonical });
  const isTaken = owner !== null && owner.id !== userId;
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
    purpose: ADDRESS_CODE,
    userId,
    subject: canonical,
    token: null,
    codeHash,
    payloadSealed: null,
    now: kernel.clock.now(),
    ttlMs: linkTtlMs,
  };
  return { statements: [requested.statement, insertOneTime(issued, requested.id)], issued };
}
