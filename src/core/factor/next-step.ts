/** Decides, as a pure function and in one place, what is required after the presented factors. */
import type { Factor, MfaPolicy } from './factor.ts';
import { acrOf } from './presented.ts';
import type { PresentedFactor } from './presented.ts';

export type EnrolledFactor = Pick<Factor, 'name' | 'kind' | 'demandsSecond'>;

export type NextStep =
  | { readonly step: 'done' }
  | { readonly step: 'second_factor'; readonly factors: readonly string[] }
  /** Signed in, but the policy requires a second factor that the user has not enrolled yet. */
  | { readonly step: 'enrol' };

/**
 * A user with a second factor must present factors of two kinds, one of them a device, in either
 * order; a factor that counts as two is enough. A code by email or text message, or an outside
 * identity, is followed by the device and not by the password: it would take the device's place.
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
  const due = enrolled.filter(
    ({ kind }) => !kinds.has(kind) && (kind !== 'knowledge' || kinds.has('device')),
  );
  // A user whose factors are all of one kind has nothing else to present.
  if (due.length === 0) return { step: 'done' };
  return { step: 'second_factor', factors: due.map(({ name }) => name) };
}
