/** Users as the administration API and `--json` show them. */
import * as z from 'zod';
import type { FactorListing } from '../../core/factor/factor.ts';
import { amrOf } from '../../core/factor/presented.ts';
import type { OutboxEntry } from '../../core/email/outbox.ts';
import type { Session } from '../../core/session/session.ts';
import type { ListedUser } from '../../core/user/search.ts';
import { rfc3339, timestamp } from '../../http/fields.ts';
import { OBSTACLES } from './show-user.ts';
import type { ShownUser } from './show-user.ts';

const jsonObject = z.record(z.string(), z.unknown());
const time = (milliseconds: number | null): string | null =>
  milliseconds === null ? null : rfc3339(milliseconds);

const listedShape = {
  id: z.string(),
  external_id: z.string().nullable(),
  username: z.string().nullable(),
  email: z.string().nullable().meta({
    description:
      'The verified address; when there is none, the pending one, with email_verified false.',
  }),
  email_verified: z.boolean(),
  pending_email: z.string().nullable(),
  phone: z.string().nullable().meta({
    description:
      'The verified number; when there is none, the pending one, with phone_verified false.',
  }),
  phone_verified: z.boolean(),
  display_name: z.string().nullable(),
  disabled: z.boolean(),
  anonymous: z.boolean().meta({
    description: 'A guest account: nobody can sign in to it but by its first session.',
  }),
  password_change_required: z.boolean(),
  claims: jsonObject,
  user_metadata: jsonObject,
  created_at: timestamp,
  updated_at: timestamp,
};

export const ListedUserReply = z.object(listedShape).meta({ id: 'ListedUser' });

export function listedUserReply(user: ListedUser): z.input<typeof ListedUserReply> {
  return {
    id: user.id,
    external_id: user.externalId,
    username: user.username,
    email: user.email ?? user.pendingEmail,
    email_verified: user.email !== null,
    pending_email: user.pendingEmail,
    phone: user.phone ?? user.pendingPhone,
    phone_verified: user.phone !== null,
    display_name: user.displayName,
    disabled: user.disabledAt !== null,
    anonymous: user.anonymousAt !== null,
    password_change_required: user.passwordChangeRequiredAt !== null,
    claims: user.claims,
    user_metadata: user.userMetadata,
    created_at: rfc3339(user.createdAt),
    updated_at: rfc3339(user.updatedAt),
  };
}

export const SessionOfUserReply = z
  .object({
    id: z.string(),
    created_at: timestamp,
    last_used_at: timestamp,
    expires_at: timestamp,
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    amr: z.array(z.string()).readonly(),
  })
  .meta({ id: 'SessionOfUser' });

export function sessionOfUserReply(session: Session): z.input<typeof SessionOfUserReply> {
  return {
    id: session.id,
    created_at: rfc3339(session.createdAt),
    last_used_at: rfc3339(session.lastUsedAt),
    expires_at: rfc3339(session.expiresAt),
    ip: session.ip,
    user_agent: session.userAgent,
    amr: amrOf(session.factors),
  };
}

export const WaitingEmailReply = z
  .object({
    id: z.string(),
    letter: z.string().meta({ description: 'What kind of email; never its content.' }),
    recipient: z.string(),
    state: z.string().meta({ description: 'pending, or dead: given up.' }),
    attempts: z.number().int(),
    next_at: timestamp,
    created_at: timestamp,
    expires_at: timestamp,
    last_error: z.string().nullable(),
  })
  .meta({ id: 'WaitingEmail' });

export function waitingEmailReply(email: OutboxEntry): z.input<typeof WaitingEmailReply> {
  return {
    id: email.id,
    letter: email.template,
    recipient: email.recipient,
    state: email.state,
    attempts: email.attempts,
    next_at: rfc3339(email.nextAt),
    created_at: rfc3339(email.createdAt),
    expires_at: rfc3339(email.expiresAt),
    last_error: email.lastError,
  };
}

const FailedAttempts = z
  .object({
    purpose: z.string().meta({ description: 'What was tried: password, second_factor, …' }),
    scope: z.string().meta({ description: 'Whose attempts: anybody, or one device or session.' }),
    failures: z.number().int(),
    last_at: timestamp,
    blocked_until: timestamp.nullable(),
    locked: z.boolean().meta({ description: 'Until an operator or the owner clears it.' }),
  })
  .meta({ id: 'FailedAttempts' });

const detailShape = {
  ...listedShape,
  obstacles: z.array(z.enum(OBSTACLES)).readonly().meta({
    description: 'Why the user can not sign in at this moment; empty when nothing is in the way.',
  }),
  password_changed_at: timestamp.nullable().meta({ description: 'Null: there is no password.' }),
  mfa_enabled: z.boolean(),
  mfa_due_at: timestamp.nullable(),
  enrolled_factors: z.array(z.string()).readonly(),
  sessions: z.array(SessionOfUserReply),
  failed_attempts: z.array(FailedAttempts),
  waiting_emails: z.array(WaitingEmailReply),
};

/** Everything about one user, with what the features list. */
export function userDetailSchema(listings: readonly FactorListing[]) {
  const factors = Object.assign({}, ...listings.map(({ shape }) => shape));
  return z.object({ ...detailShape, factors: z.object(factors) }).meta({ id: 'UserDetail' });
}

export function userDetailReply(shown: ShownUser): z.input<ReturnType<typeof userDetailSchema>> {
  const { user, factors } = shown;
  return {
    ...listedUserReply(user),
    obstacles: shown.obstacles,
    password_changed_at: time(shown.passwordChangedAt),
    mfa_enabled: shown.hasSecondFactor,
    mfa_due_at: time(user.mfaDueAt),
    enrolled_factors: shown.enrolled,
    factors,
    sessions: shown.sessions.map(sessionOfUserReply),
    failed_attempts: shown.counters.map((counter) => ({
      purpose: counter.purpose,
      scope: counter.scope,
      failures: counter.failures,
      last_at: rfc3339(counter.lastAt),
      blocked_until: time(counter.blockedUntil),
      locked: counter.isLocked,
    })),
    waiting_emails: shown.emails.map(waitingEmailReply),
  };
}
