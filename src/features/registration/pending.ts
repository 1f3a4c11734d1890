/**
 * A registration by email whose address is not verified yet: its row, its sealed content, its
 * email. Free and taken addresses are processed alike; the owner of a taken one gets a different
 * email.
 */
import type { Context } from '../../core/context.ts';
import { linkTo, minutesText } from '../../core/email/emails.ts';
import type { RequestedEmail } from '../../core/email/emails.ts';
import type { Kernel } from '../../core/kernel.ts';
import { CODE_TTL_MS } from '../../core/one-time/one-time.ts';
import type { OneTime } from '../../core/one-time/one-time.ts';
import { openPayload, sealPayload } from '../../core/one-time/payload.ts';
import { findUserBySignInName } from '../../core/user/user.ts';
import { isJsonObject } from '../../lib/json.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { RegistrationSettings } from './settings.ts';

/** The data of the future account. */
export interface RegistrationContent {
  readonly email: string;
  readonly passwordHash: string;
  readonly displayName: string | null;
  readonly userMetadata: JsonObject;
}

export function sealContent({ sealer }: Kernel, id: string, content: RegistrationContent): string {
  return sealPayload(sealer, id, { ...content });
}

/** @throws {Error} the row has no content, or invalid content: a bug */
export function openContent({ sealer }: Kernel, pending: OneTime): RegistrationContent {
  const { email, passwordHash, displayName, userMetadata } = openPayload(sealer, pending);
  if (typeof email !== 'string' || typeof passwordHash !== 'string') {
    throw new Error('a registration without its content');
  }
  return {
    email,
    passwordHash,
    displayName: typeof displayName === 'string' ? displayName : null,
    userMetadata: isJsonObject(userMetadata) ? userMetadata : {},
  };
}

export interface Secrets {
  readonly code: string;
  readonly token: string;
}

/** The statement of the email with the secrets, and the email's id. */
export async function requestEmail(
  { db, emails }: Kernel,
  context: Context,
  { verifyUrl, linkTtlMs }: RegistrationSettings,
  to: { readonly email: string; readonly canonical: string } & Secrets,
): Promise<ReturnType<Kernel['emails']['request']>> {
  const { email, canonical, code, token } = to;
  const owner = await findUserBySignInName(db, { kind: 'email', canonical });
  const content: Pick<RequestedEmail, 'template' | 'values'> =
    owner === null
      ? {
          template: 'verify_registration',
          values: {
            code,
            code_minutes: minutesText(CODE_TTL_MS),
            link: linkTo(verifyUrl, token),
            link_minutes: minutesText(linkTtlMs),
          },
        }
      : { template: 'account_exists', values: { link: verifyUrl } };
  return emails.request(context, {
    ...content,
    to: email,
    group: 'registration',
    ttlMs: linkTtlMs,
    kind: 'real',
    urgency: 'patient',
  });
}
