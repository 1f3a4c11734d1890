/**
 * How somebody authenticated, and what level that makes.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8176#section-2
 */

/** Authentication method references that this service writes. */
export type Amr = 'pwd' | 'otp' | 'sms' | 'hwk' | 'swk' | 'user' | 'mfa' | 'fed';

export type Acr = 'aal1' | 'aal2';

/**
 * The one place that derives `acr` from `amr`: `mfa` says that two factors of different kinds were shown (or a passkey that
 * verified its user), and nothing else lifts a session above aal1.
 */
export function acrOf(amr: readonly string[]): Acr {
  return amr.includes('mfa') ? 'aal2' : 'aal1';
}
