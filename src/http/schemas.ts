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
        'The verified address; when there is none, the pending one, with email_verified false.',
    }),
    email_verified: z.boolean(),
    pending_email: z.string().nullable().meta({
      description:
        'The address that waits for POST /email/verify; until then it opens and reserves nothing.',
    }),
    phone: z.string().nullable(),
    phone_verified: z.boolean(),
    display_name: z.string().nullable(),
    mfa_enabled: z.boolean(),
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
    phone: null,
    phone_verified: false,
    display_name: user.displayName,
    mfa_enabled: hasSecondFactor,
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
    expires_in: z.number().int().meta({ description: 'Seconds until the access token ends.' }),
    refresh_token: z
      .string()
      .optional()
      .meta({ description: 'Left out when the request asked for the cookie.' }),
    refresh_token_expires_in: z
      .number()
      .int()
      .meta({ description: 'Seconds until the refresh token ends if it is not used.' }),
    session_id: z.string(),
    rotated: z.literal(false).optional().meta({
      description:
        'Of a refresh: the refresh token is the one that was sent, and stays good. Absent when it was replaced.',
    }),
    mfa_due_at: timestamp.optional().meta({
      description:
        'The user has no second factor and is asked for one: until then it can be put off.',
    }),
    device_token: z.string().optional().meta({
      description:
        'Of a sign-in: send it along with later ones, and an attack on the account does not keep this device out. Good for nothing else.',
    }),
  })
  .meta({ id: 'Authenticated' });

export const MfaRequiredReply = z
  .object({
    status: z.literal('mfa_required'),
    challenge_token: z.string(),
    factors: z.array(z.string()).readonly(),
    expires_in: z.number().int().meta({ description: 'Seconds until the challenge ends.' }),
  })
  .meta({ id: 'MfaRequired' });

/** A correct first factor is a 200 whether or not a second one is due; `status` says which. */
export const AuthenticationReply = z
  .discriminatedUnion('status', [AuthenticatedReply, MfaRequiredReply])
  .meta({ id: 'Authentication' });

export const RecoveryCodesReply = z
  .object({
    recovery_codes: z
      .array(z.string())
      .length(10)
      .meta({ description: 'Shown this once, each good once in the place of a second factor.' }),
  })
  .meta({ id: 'RecoveryCodes' });
