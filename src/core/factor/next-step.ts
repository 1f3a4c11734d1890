/** What is due after the factors that were presented: pure, and nothing else decides it. */
import type { Factor, MfaPolicy } from './factor.ts';
import { acrOf } from './presented.ts';
import type { PresentedFactor } from './presented.ts';

export type EnrolledFactor = Pick<Factor, 'name' | 'kind' | 'demandsSecond'>;

export type NextStep =
  | { readonly step: 'done' }
  | { readonly step: 'second_factor'; readonly factors: readonly string[] }
  /** Signed in, but the policy asks for a second factor that the user has yet to enrol. */
  | { readonly step: 'enrol' };

/**
 * Who has a second factor and presents a first one is asked for one of another kind, whichever came
 * first; a factor that is two by itself is enough.
 */
export function nextStep(
  { required }: MfaPolicy,
  presented: readonly PresentedFactor[],
  enrolled: readonly EnrolledFactor[],
): NextStep {
  if (required === 'off' || acrOf(presented) === 'aal2') return { step: 'done' };
  if (!enrolled.some(({ demandsSecond }) => demandsSecond)) {
    return { step: required === 'all' ? 'enrol' : 'done' };
  }
  const kinds = new Set(presented.map(({ kind }) => kind));
  const due = enrolled.filter(({ kind }) => !kinds.has(kind));
  // Somebody whose factors are all of one kind has nothing else to present.
  if (due.length === 0) return { step: 'done' };
  return { step: 'second_factor', factors: due.map(({ name }) => name) };
}
