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

/** A credential that is stored when the address is verified. */
export interface PendingCredential {
  /** The name of its factor. */
  readonly factor: string;
  readonly userId: string;
  readonly record: JsonObject;
}

function credentialOf(value: unknown): PendingCredential | null {
  if (!isJsonObject(value)) return null;
  const { factor, userId, record } = value;
  if (typeof factor !== 'string' || typeof userId !== 'string' || !isJsonObject(record))
    throw new Error('a registration with a credential that is none');
  return { factor, userId, record };
}

/** The data of the future account. */
export interface RegistrationContent {
  readonly email: string;
  /** Null for an account that is created with another credential. */
  readonly passwordHash: string | null;
  readonly credential: PendingCredential | null;
  readonly displayName: string | null;
  readonly userMetadata: JsonObject;
}

export function sealContent({ sealer }: Kernel, id: string, content: RegistrationContent): string {
  return sealPayload(sealer, id, { ...content });
}

/** @throws {Error} the row has no content, or invalid content: a bug */
export function openContent({ sealer }: Kernel, pending: OneTime): RegistrationContent {
  const { email, passwordHash, displayName, userMetadata, ...rest } = openPayload(sealer, pending);
  const credential = credentialOf(rest['credential']);
  const hash = typeof passwordHash === 'string' ? passwordHash : null;
  if (typeof email !== 'string' || (hash === null && credential === null)) {
    throw new Error('a registration without its content');
  }
  return {
    email,
    passwordHash: hash,
    credential,
    displayName: typeof displayName === 'string' ? displayName : null,
    userMetadata: isJsonObject(userMetadata) ? userMetadata : {},
  };
}

export interface Secrets {
  readonly code: string;
  /** Null without a link: it asks for the password, and the account may have none. */
  readonly token: string | null;
}

function verification(
  { verifyUrl, linkTtlMs }: Pick<RegistrationSettings, 'verifyUrl' | 'linkTtlMs'>,
  { code, token }: Secrets,
): Pick<RequestedEmail, 'template' | 'values'> {
  const values = { code, code_minutes: minutesText(CODE_TTL_MS) };
  if (token === null) return { template: 'verify_registration_code', values };
  return {
    template: 'verify_registration',
    values: {
      ...values,
      link: linkTo(verifyUrl, token),
      link_minutes: minutesText(linkTtlMs),
    },
  };
}

/** The statement of the email with the secrets, and the email's id. */
export async function requestEmail(
  { db, emails }: Kernel,
  context: Context,
  { verifyUrl, linkTtlMs }: RegistrationSettings,
  to: { readonly email: string; readonly canonical: string } & Secrets,
): Promise<ReturnType<Kernel['emails']['request']>> {
  const { email, canonical } = to;
  const owner = await findUserBySignInName(db, { kind: 'email', canonical });
  const content: Pick<RequestedEmail, 'template' | 'values'> =
    owner === null
      ? verification({ verifyUrl, linkTtlMs }, to)
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
