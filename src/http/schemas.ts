/** Answers that several features give. */
import * as z from 'zod';
import type { User } from '../core/user/user.ts';
import { rfc3339, timestamp } from './fields.ts';

export const UserReply = z
  .object({
    id: z.string(),
    username: z.string().nullable(),
    email: z.string().nullable().meta({
      description:
        'The verified address; if there is none, the pending one, with email_verified false.',
    }),
    email_verified: z.boolean(),
    pending_email: z.string().nullable().meta({
      description:
        'The address that POST /email/verify will verify; until then it reserves nothing and can not be used to sign in.',
    }),
    phone: z.string().nullable().meta({
      description:
        'The verified number (E.164); if there is none, the pending one, with phone_verified false.',
    }),
    phone_verified: z.boolean(),
    display_name: z.string().nullable(),
    mfa_enabled: z.boolean(),
    anonymous: z.boolean().meta({
      description: 'Whether nobody can sign in to it yet; see registration.anonymous.',
    }),
    created_at: timestamp,
    updated_at: timestamp,
    user_metadata: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'User' });

/** A user as the API shows it. */
export function userReply(
  user: User,
  { hasSecondFactor }: { readonly hasSecondFactor: boolean },
): z.input<typeof UserReply> {
  return {
    id: user.id,
    username: user.username,
    email: user.email ?? user.pendingEmail,
    email_verified: user.email !== null,
    pending_email: user.pendingEmail,
    phone: user.phone ?? user.pendingPhone,
    phone_verified: user.phone !== null,
    display_name: user.displayName,
    mfa_enabled: hasSecondFactor,
    anonymous: user.anonymousAt !== null,
    created_at: rfc3339(user.createdAt),
    updated_at: rfc3339(user.updatedAt),
    user_metadata: user.userMetadata,
  };
}

export const AuthenticatedReply = z
  .object({
    status: z.literal('authenticated'),
    token_type: z.literal('Bearer'),
    access_token: z.string(),
    expires_in: z.number().int().meta({ description: 'Seconds until the access token expires.' }),
    refresh_token: z
      .string()
      .optional()
      .meta({ description: 'Absent when the request asked for the cookie.' }),
    refresh_token_expires_in: z
      .number()
      .int()
      .meta({ description: 'Seconds until the refresh token expires if it is not used.' }),
    session_id: z.string(),
    rotated: z.literal(false).optional().meta({
      description:
        'Only in the answer to a refresh: false when the refresh token is the one that was sent, which stays valid. Absent when it was replaced.',
    }),
    mfa_due_at: timestamp.optional().meta({
      description:
        'The user has no second factor but must enrol one; enrolment can be postponed until this time.',
    }),
    device_token: z.string().optional().meta({
      description:
        'Only in the answer to a sign-in: send it with later sign-ins from this device, so that an attack on the account does not lock this device out. It has no other use.',
    }),
  })
  .meta({ id: 'Authenticated' });

export const MfaRequiredReply = z
  .object({
    status: z.literal('mfa_required'),
    challenge_token: z.string(),
    factors: z.array(z.string()).readonly(),
    expires_in: z.number().int().meta({ description: 'Seconds until the challenge expires.' }),
  })
  .meta({ id: 'MfaRequired' });

/** A correct first factor is a 200 whether or not a second one is due; `status` says which. */
export const AuthenticationReply = z
  .discriminatedUnion('status', [AuthenticatedReply, MfaRequiredReply])
  .meta({ id: 'Authentication' });

export const RecoveryCodesReply = z
  .object({
    recovery_codes: z.array(z.string()).length(10).meta({
      description: 'Shown only in this answer; each can be used once instead of a second factor.',
    }),
  })
  .meta({ id: 'RecoveryCodes' });
