/** How a factor is presented in a request body: one member, named after the factor. */
import type * as z from 'zod';
import type { Factor } from '../core/factor/factor.ts';
import { invalidRequest } from '../refusal.ts';

/** What a body can present: a factor, or a sign-in method that is none. */
export type Presentable = Pick<Factor, 'name' | 'answer'>;

/** The members of a body, one for each factor; all optional, because exactly one is presented. */
export function answerMembers(factors: readonly Presentable[]): Record<string, z.ZodType> {
  return Object.fromEntries(factors.map(({ name, answer }) => [name, answer.optional()]));
}

/** The one factor that a body presents. @throws {Refusal} invalid_request: none, or several */
export function answerOf<P extends Presentable>(
  body: Readonly<Record<string, unknown>>,
  factors: readonly P[],
): { readonly factor: P; readonly value: unknown } {
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
