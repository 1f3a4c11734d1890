/**
 * How a factor is shown in a body: one member of it, named after the factor. Only factors that are
 * on have theirs.
 */
import * as z from 'zod';
import { invalidRequest } from '../refusal.ts';
import type { Answer, Factor, FactorName } from '../core/factor/factor.ts';
import { passwordText } from './fields.ts';

const base64url = z
  .string()
  .regex(/^[A-Za-z0-9_-]*$/)
  .max(87_000);
const transports = z.array(z.string().max(32)).max(16);

/**
 * A WebAuthn assertion as `startAuthentication` of @simplewebauthn/browser gives it (WebAuthn L3
 * §5.1, AuthenticationResponseJSON).
 */
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

/** A new WebAuthn credential as `startRegistration` gives it (RegistrationResponseJSON). */
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

/** The id of a ceremony that was begun, and what the authenticator answered. */
export const PasskeyAnswer = z.strictObject({
  challenge_id: z
    .string()
    .max(4_096)
    .meta({ description: 'From the answer that had the options.' }),
  credential: AssertionJson,
});

const code = z.string().max(64, 'No code is that long.');
const MEMBERS = {
  totp: code.optional().meta({ description: 'The six digits of the authenticator app.' }),
  recovery_code: code
    .optional()
    .meta({ description: 'One of the ten; case, spaces and hyphens do not count.' }),
  passkey: PasskeyAnswer.optional(),
  password: passwordText()
    .optional()
    .meta({ description: 'After a passkey that did not verify its user.' }),
} as const;

/** What a body may show. */
export const AnswerBody = z.object(MEMBERS);
export type AnswerBody = z.output<typeof AnswerBody>;

/** The members of the factors that are on. */
export function answerMembers(factors: readonly Pick<Factor, 'name'>[]): Record<string, z.ZodType> {
  const on = new Set<string>(factors.map(({ name }) => name));
  return Object.fromEntries(Object.entries(MEMBERS).filter(([name]) => on.has(name)));
}

/** The names that {@link answerMembers} has, for people. */
function names(factors: readonly Pick<Factor, 'name'>[]): string {
  return factors
    .map(({ name }): FactorName => name)
    .filter((name) => name in MEMBERS)
    .join(', ');
}

/** The one answer of a body. @throws {Refusal} invalid_request: none, or several */
export function answerOf(body: AnswerBody, factors: readonly Pick<Factor, 'name'>[]): Answer {
  const { totp, recovery_code, passkey, password } = body;
  const answers: Answer[] = [];
  if (totp !== undefined) answers.push({ factor: 'totp', code: totp });
  if (recovery_code !== undefined) answers.push({ factor: 'recovery_code', code: recovery_code });
  if (passkey !== undefined)
    answers.push({
      factor: 'passkey',
      challengeId: passkey.challenge_id,
      credential: passkey.credential,
    });
  if (password !== undefined) answers.push({ factor: 'password', password });
  const [answer, another] = answers;
  if (answer === undefined)
    throw invalidRequest({
      pointer: '',
      code: 'required',
      detail: `Send one of ${names(factors)}.`,
    });
  if (another !== undefined)
    throw invalidRequest({
      pointer: '',
      code: 'too_many',
      detail: `Send only one of ${names(factors)}.`,
    });
  return answer;
}
