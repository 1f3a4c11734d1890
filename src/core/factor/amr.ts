/**
 * How somebody authenticated, and what level that makes.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8176#section-2
 */

/** Authentication method references that this service writes. */
export type Amr = 'pwd' | 'otp' | 'sms' | 'hwk' | 'swk' | 'user' | 'mfa' | 'fed';

export type Acr = 'aal1' | 'aal2';

export type FactorKind = 'knowledge' | 'mailbox' | 'phone' | 'device' | 'external';

/** Which kind of factor a method is; `user` and `mfa` say something about others. */
const KINDS: Readonly<Record<string, FactorKind>> = {
  pwd: 'knowledge',
  otp: 'device',
  sms: 'phone',
  hwk: 'device',
  swk: 'device',
  fed: 'external',
};

/**
 * The one place that derives `acr` from `amr`: `mfa` says that two factors of different kinds were
 * shown (or a passkey that verified its user), and nothing else lifts a session above aal1.
 */
export function acrOf(amr: readonly string[]): Acr {
  return amr.includes('mfa') ? 'aal2' : 'aal1';
}

function kindCount(amr: readonly string[]): number {
  return new Set(amr.flatMap((method) => KINDS[method] ?? [])).size;
}

/** A session's methods once another one was shown in it. */
export function withMethods(amr: readonly string[], shown: readonly Amr[]): readonly string[] {
  const all = [...new Set([...amr, ...shown])].filter((method) => method !== 'mfa');
  return amr.includes('mfa') || shown.includes('mfa') || kindCount(all) > 1 ? [...all, 'mfa'] : all;
}

/**
 * A session's methods once a factor is gone: what rested on it, rests on nothing. The level stays
 * only where what is left makes it: two kinds, or the passkey that verified its user by itself.
 */
export function withoutMethods(amr: readonly string[], gone: readonly Amr[]): readonly string[] {
  const left = amr.filter((method) => method !== 'mfa' && !gone.some((one) => one === method));
  const bySelf = amr.includes('mfa') && kindCount(amr) === 1;
  const isKept = kindCount(left) > 1 || (bySelf && (left.includes('hwk') || left.includes('swk')));
  return isKept ? [...left, 'mfa'] : left;
}
