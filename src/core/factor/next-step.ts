/** What is due after the factors shown: pure, and nobody else decides it. */
import type { Amr } from './amr.ts';
import type { Factor, FactorName, MfaPolicy, VerifiedFactor } from './factor.ts';

export type Shown = Pick<VerifiedFactor, 'factor' | 'kind' | 'amr'>;
export type Enrolled = Pick<Factor, 'name' | 'kind' | 'demandsSecond'>;

export type NextStep =
  | { readonly step: 'done'; readonly amr: readonly Amr[] }
  | { readonly step: 'second_factor'; readonly factors: readonly FactorName[] }
  /** Signed in, but the policy asks for a second factor that the user has yet to enrol. */
  | { readonly step: 'enrol'; readonly amr: readonly Amr[] };

/**
 * Two factors count as two only if their kinds differ, and a factor that brings `mfa` along (a
 * passkey that verified its user) is enough by itself. Who has a second factor and shows a first
 * one is asked for one of another kind, whichever came first.
 */
export function nextStep(
  policy: MfaPolicy,
  shown: readonly Shown[],
  enrolled: readonly Enrolled[],
): NextStep {
  const amr = [...new Set(shown.flatMap((factor) => factor.amr))];
  const kinds = new Set(shown.map((factor) => factor.kind));
  if (amr.includes('mfa')) return { step: 'done', amr };
  if (kinds.size > 1) return { step: 'done', amr: [...amr, 'mfa'] };
  if (policy.required === 'off') return { step: 'done', amr };
  if (!enrolled.some((factor) => factor.demandsSecond))
    return policy.required === 'all' ? { step: 'enrol', amr } : { step: 'done', amr };
  const due = enrolled.filter((factor) => !kinds.has(factor.kind));
  // Somebody whose factors are all of one kind has nothing else to show.
  return due.length === 0
    ? { step: 'done', amr }
    : { step: 'second_factor', factors: due.map((factor) => factor.name) };
}
