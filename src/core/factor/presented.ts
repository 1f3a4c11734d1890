/**
 * The factors that a session or a pending sign-in has presented, and what follows from them: `amr`
 * and `acr` are derived here, when a token is minted, and stored nowhere.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8176#section-2
 */

/** Authentication method references that this service writes. */
export type Amr = 'pwd' | 'otp' | 'sms' | 'hwk' | 'swk' | 'user' | 'mfa' | 'fed';

/** `aal0`: of an anonymous account, to which nobody signed in. */
export type Acr = 'aal0' | 'aal1' | 'aal2';

/** Two factors count as two only if their kinds differ. */
export type FactorKind = 'knowledge' | 'mailbox' | 'phone' | 'device' | 'external';

export interface PresentedFactor {
  readonly factor: string;
  readonly kind: FactorKind;
  /** Its methods, without `mfa`. */
  readonly amr: readonly Amr[];
  /** True when it counts as two factors: a passkey that verified its user. */
  readonly isMultiFactor?: boolean;
}

/** The level: aal2 for factors of two kinds, or for one that counts as two. */
export function acrOf(presented: readonly PresentedFactor[]): Exclude<Acr, 'aal0'> {
  const kinds = new Set(presented.map(({ kind }) => kind));
  return kinds.size > 1 || presented.some((one) => one.isMultiFactor === true) ? 'aal2' : 'aal1';
}

/** The methods, with `mfa` last where the level is aal2. */
export function amrOf(presented: readonly PresentedFactor[]): readonly Amr[] {
  const methods = new Set(presented.flatMap(({ amr }) => amr));
  return acrOf(presented) === 'aal2' ? [...methods, 'mfa'] : [...methods];
}

/** Adds a factor that was presented again; the earlier factors stay recorded. */
export function withFactor(
  presented: readonly PresentedFactor[],
  added: PresentedFactor,
): readonly PresentedFactor[] {
  const before = presented.find(({ factor }) => factor === added.factor);
  const amr = [...new Set([...(before?.amr ?? []), ...added.amr])];
  const isMultiFactor = before?.isMultiFactor === true || added.isMultiFactor === true;
  const merged = { factor: added.factor, kind: added.kind, amr };
  return [
    ...presented.filter((one) => one !== before),
    isMultiFactor ? { isMultiFactor, ...merged } : merged,
  ];
}

/** Without a factor that the user has removed. */
export function withoutFactor(
  presented: readonly PresentedFactor[],
  name: string,
): readonly PresentedFactor[] {
  return presented.filter(({ factor }) => factor !== name);
}
