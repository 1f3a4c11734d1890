/** How a factor is presented in a request body: one member, named after the factor. */
import type * as z from 'zod';
import type { Factor, FactorAnswer } from '../core/factor/factor.ts';
import { invalidRequest } from '../refusal.ts';

/** The members of a body, one for each factor; all optional, because exactly one is presented. */
export function answerMembers(factors: readonly Factor[]): Record<string, z.ZodType> {
  return Object.fromEntries(factors.map(({ name, answer }) => [name, answer.optional()]));
}

/** The one factor that a body presents. @throws {Refusal} invalid_request: none, or several */
export function answerOf(
  body: Readonly<Record<string, unknown>>,
  factors: readonly Factor[],
): FactorAnswer {
  const names = factors.map(({ name }) => name).join(', ');
  const [factor, another] = factors.filter(({ name }) => body[name] !== undefined);
  if (factor === undefined) {
    throw invalidRequest({ pointer: '', code: 'required', detail: `Send one of ${names}.` });
  }
  if (another !== undefined) {
    throw invalidRequest({ pointer: '', code: 'too_many', detail: `Send only one of ${names}.` });
  }
  return { factor, value: body[factor.name] };
}
