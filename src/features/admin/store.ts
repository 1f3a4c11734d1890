/** What an operator changes and exports of a user, whether the account is enabled or not. */
import { asc, eq, gt, sql } from 'drizzle-orm';
import { guarded, unique } from '../../core/guards.ts';
import { oneTime } from '../../core/one-time/tables.ts';
import { passwordCredential } from '../../core/password/tables.ts';
import { session } from '../../core/session/tables.ts';
import { listedColumns } from '../../core/user/search.ts';
import { user } from '../../core/user/tables.ts';
import { touched } from '../../core/user/user.ts';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { JsonObject } from '../../lib/json.ts';

const isUser = eq(user.id, given('id'));

const profile = prepare(
  query
    .update(user)
    .set({
      ...touched,
      username: sql`coalesce(${given('username')}, ${user.username})`,
      usernameCanonical: sql`coalesce(${given('usernameCanonical')}, ${user.usernameCanonical})`,
      displayName: sql`CASE WHEN ${given('setsDisplayName')} THEN ${given('displayName')} ELSE ${user.displayName} END`,
      userMetadata: sql`coalesce(${given('userMetadata')}, ${user.userMetadata})`,
      claims: sql`coalesce(${given('claims')}, ${user.claims})`,
    })
    .where(isUser),
);

export interface OperatorsProfile {
  readonly id: string;
  /** What is null stays as it is. */
  readonly username: string | null;
  readonly usernameCanonical: string | null;
  /** `undefined` stays as it is; null removes it. */
  readonly displayName: string | null | undefined;
  readonly userMetadata: JsonObject | null;
  readonly claims: JsonObject | null;
  readonly now: number;
}

const jsonOrNull = (value: JsonObject | null): string | null =>
  value === null ? null : JSON.stringify(value);

/** The statement that changes a profile, whatever the state of the account; else `not_found`. */
export function changeProfile({ displayName, ...values }: OperatorsProfile): Statement {
  const statement = profile({
    ...values,
    setsDisplayName: displayName !== undefined,
    displayName: displayName ?? null,
    userMetadata: jsonOrNull(values.userMetadata),
    claims: jsonOrNull(values.claims),
  });
  return unique(guarded(statement, 'not_found'), 'username_taken', 'user.username_canonical');
}

const pending = prepare(
  query
    .update(user)
    .set({
      ...touched,
      pendingEmail: given('email'),
      pendingEmailCanonical: given('canonical'),
    })
    .where(isUser),
);

export interface NewAddress {
  readonly id: string;
  readonly email: string | null;
  readonly canonical: string | null;
  readonly now: number;
}

/** The statement that notes an address to be verified, or none. */
export function setPendingAddress(values: NewAddress): Statement {
  return guarded(pending({ ...values }), 'not_found');
}

const verified = prepare(
  query
    .update(user)
    .set({
      ...touched,
      anonymousAt: null,
      email: given('email'),
      emailCanonical: given('canonical'),
      pendingEmail: null,
      pendingEmailCanonical: null,
    })
    .where(isUser),
);

/** The statement that makes an address the verified one, on an operator's word. */
export function setVerifiedAddress(values: NewAddress): Statement {
  const statement = guarded(verified({ ...values }), 'not_found');
  return unique(statement, 'email_taken', 'user.email_canonical');
}

const forgetDemand = prepare(
  query
    .update(user)
    .set({ ...touched, passwordChangeRequiredAt: null })
    .where(isUser),
);

/** The statement that takes the demand for a new password back. */
export function forgetPasswordDemand(id: string, now: number): Statement {
  return forgetDemand({ id, now });
}

export const sessionsOf = prepare(
  query
    .select({
      id: session.id,
      createdAt: session.createdAt,
      lastUsedAt: session.lastUsedAt,
      expiresAt: session.expiresAt,
      endedAt: session.endedAt,
      endReason: session.endReason,
      ip: session.ip,
      userAgent: session.userAgent,
      factors: session.factors,
    })
    .from(session)
    .where(eq(session.userId, given('userId')))
    .orderBy(asc(session.createdAt), asc(session.id)),
);

export const oneTimesOf = prepare(
  query
    .select({
      purpose: oneTime.purpose,
      subject: oneTime.subject,
      attempts: oneTime.attempts,
      createdAt: oneTime.createdAt,
      expiresAt: oneTime.expiresAt,
      spentAt: oneTime.spentAt,
    })
    .from(oneTime)
    .where(eq(oneTime.userId, given('userId')))
    .orderBy(asc(oneTime.createdAt), asc(oneTime.id)),
);

export const hashesOf = prepare(
  query
    .select({ passwordHash: passwordCredential.passwordHash })
    .from(passwordCredential)
    .where(eq(passwordCredential.userId, given('userId')))
    .limit(1),
);

/** Users after an id, each with its password hash, if there is one. */
export const exportPage = prepare(
  query
    .select({ user: listedColumns, passwordHash: passwordCredential.passwordHash })
    .from(user)
    .leftJoin(passwordCredential, eq(passwordCredential.userId, user.id))
    .where(gt(user.id, given('after')))
    .orderBy(asc(user.id))
    .limit(sql.placeholder('limit')),
);
