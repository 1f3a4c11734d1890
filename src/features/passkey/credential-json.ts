/** The JSON in which browsers send an authenticator's answer (WebAuthn L3 §5.1). */
import * as z from 'zod';

const base64url = z
  .string()
  .regex(/^[A-Za-z0-9_-]*$/)
  .max(87_000);
const transports = z.array(z.string().max(32)).max(16);

/** An assertion as `startAuthentication` of @simplewebauthn/browser gives it. */
export const AssertionJson = z
  .object({
    id: base64url,
    rawId: base64url,
    type: z.literal('public-key'),
    response: z.object({
      clientDataJSON: base64url,
      authenticatorData: base64url,
      signature: base64url,
      userHandle: base64url.nullish(),
    }),
    authenticatorAttachment: z.string().max(32).nullish(),
    clientExtensionResults: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'AuthenticationResponseJSON' });
export type AssertionJson = z.output<typeof AssertionJson>;

/** A new credential as `startRegistration` gives it. */
export const AttestationJson = z
  .object({
    id: base64url,
    rawId: base64url,
    type: z.literal('public-key'),
    response: z.object({
      clientDataJSON: base64url,
      attestationObject: base64url,
      authenticatorData: base64url.optional(),
      transports: transports.optional(),
      publicKeyAlgorithm: z.number().optional(),
      publicKey: base64url.nullish(),
    }),
    authenticatorAttachment: z.string().max(32).nullish(),
    clientExtensionResults: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'RegistrationResponseJSON' });
export type AttestationJson = z.output<typeof AttestationJson>;

/** The id of a ceremony that was started. */
export const challengeIdText = z
  .string()
  .max(4_096, 'No challenge_id is that long.')
  .meta({ description: 'From the answer with the options.' });

/** The id of a ceremony that was started, and the authenticator's answer. */
export const PasskeyAnswer = z.strictObject({
  challenge_id: challengeIdText,
  credential: AssertionJson,
});
export type PasskeyAnswer = z.output<typeof PasskeyAnswer>;
