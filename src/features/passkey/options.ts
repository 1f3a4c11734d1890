/**
 * The options of ceremonies, as `startRegistration` and `startAuthentication` of
 * @simplewebauthn/browser take them.
 *
 * @see https://www.w3.org/TR/webauthn-3/#dictionary-makecredentialoptions
 * @see https://www.w3.org/TR/webauthn-3/#dictionary-assertion-options
 */
import * as z from 'zod';
import { encodeBase64url } from '../../lib/base64url.ts';
import type { User } from '../../core/user/user.ts';
import { PASSKEY_CHALLENGE_TTL_SECONDS } from './challenge-token.ts';
import { ALGORITHMS } from './authenticator-data.ts';
import type { PasskeySettings } from './settings.ts';

/** A credential as the options list it. */
export interface Descriptor {
  readonly id: string;
  readonly transports: readonly string[];
}

const DescriptorSchema = z.object({
  type: z.literal('public-key'),
  id: z.string(),
  transports: z.array(z.string()).readonly(),
});
const userVerificationSchema = z.enum(['required', 'preferred', 'discouraged']);

export const CreationOptions = z
  .object({
    challenge: z.string(),
    rp: z.object({ id: z.string(), name: z.string() }),
    user: z.object({ id: z.string(), name: z.string(), displayName: z.string() }),
    pubKeyCredParams: z.array(z.object({ type: z.literal('public-key'), alg: z.number().int() })),
    timeout: z.number().int().meta({ description: 'Milliseconds.' }),
    excludeCredentials: z.array(DescriptorSchema),
    authenticatorSelection: z.object({
      residentKey: z.literal('required'),
      requireResidentKey: z.literal(true),
      userVerification: userVerificationSchema,
    }),
    attestation: z.enum(['none', 'indirect', 'direct', 'enterprise']),
    extensions: z.object({ credProps: z.literal(true) }),
  })
  .meta({ id: 'PublicKeyCredentialCreationOptionsJSON' });

export const RequestOptions = z
  .object({
    challenge: z.string(),
    rpId: z.string(),
    timeout: z.number().int().meta({ description: 'Milliseconds.' }),
    allowCredentials: z
      .array(DescriptorSchema)
      .meta({ description: 'Empty, so that the authenticator offers the passkeys that it has.' }),
    userVerification: userVerificationSchema,
  })
  .meta({ id: 'PublicKeyCredentialRequestOptionsJSON' });

const TIMEOUT_MS = PASSKEY_CHALLENGE_TTL_SECONDS * 1_000;

const describe = ({ id, transports }: Descriptor): z.input<typeof DescriptorSchema> => ({
  type: 'public-key',
  id,
  transports: [...transports],
});

/**
 * The user handle: the 16 bytes of the user's UUID. Nothing personal, and the same for all of a
 * user's passkeys (§14.6.1).
 */
export function userHandleOf(userId: string): string {
  return encodeBase64url(Buffer.from(userId.replaceAll('-', ''), 'hex'));
}

/** The names that an authenticator shows for an account. */
export function accountNames(user: User): { readonly name: string; readonly displayName: string } {
  const name = user.username ?? user.email ?? user.id;
  return { name, displayName: user.displayName ?? name };
}

export function creationOptions(
  { relyingParty, userVerification, attestation }: PasskeySettings,
  user: User,
  challenge: string,
  exclude: readonly Descriptor[],
): z.input<typeof CreationOptions> {
  return {
    challenge,
    rp: { id: relyingParty.id, name: relyingParty.name },
    user: { id: userHandleOf(user.id), ...accountNames(user) },
    pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
    timeout: TIMEOUT_MS,
    excludeCredentials: exclude.map(describe),
    // Discoverable, because a sign-in without a name finds no other.
    authenticatorSelection: {
      residentKey: 'required',
      requireResidentKey: true,
      userVerification,
    },
    attestation,
    extensions: { credProps: true },
  };
}

export function requestOptions(
  { relyingParty, userVerification }: PasskeySettings,
  challenge: string,
  allow: readonly Descriptor[],
): z.input<typeof RequestOptions> {
  return {
    challenge,
    rpId: relyingParty.id,
    timeout: TIMEOUT_MS,
    allowCredentials: allow.map(describe),
    userVerification,
  };
}
