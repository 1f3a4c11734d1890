/**
 * Answers: what is sent of a result or a refusal, before it becomes a Response. Headers are records
 * with lower-case names, put together once where they never change.
 */
import { Refusal, REFUSALS } from '../refusal.ts';
import { PROBLEMS, problemType } from './problems.ts';

export type HeaderRecord = Readonly<Record<string, string>>;

/** What is sent. `body` undefined is an empty answer. */
export interface Answer {
  readonly status: number;
  /** All headers but those of every answer of its kind. */
  readonly headers: HeaderRecord;
  readonly body?: string | Buffer | undefined;
}

/** Headers of every problem document. */
export const PROBLEM_HEADERS: HeaderRecord = {
  'content-type': 'application/problem+json',
  'cache-control': 'no-store',
};

/**
 * The problem document of a refusal (RFC 9457), with the headers that its kind asks for besides
 * {@link PROBLEM_HEADERS}.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-3 for WWW-Authenticate
 * @see https://www.rfc-editor.org/rfc/rfc9470#section-3 for max_age
 */
export function problemAnswer(
  problem: Refusal,
  requestId: string,
): Answer & { readonly headers: Record<string, string> } {
  const { status, title } = PROBLEMS[problem.code];
  const { options } = problem;
  const headers: Record<string, string> = {};
  if (options.retryAfterSeconds !== undefined)
    headers['retry-after'] = String(options.retryAfterSeconds);
  if (status === 401) headers['www-authenticate'] = bearerChallenge(problem);
  const body = JSON.stringify({
    type: problemType(problem.code),
    title,
    status,
    detail: options.detail ?? REFUSALS[problem.code],
    code: problem.code,
    request_id: requestId,
    ...(options.errors === undefined ? {} : { errors: options.errors }),
    ...options.members,
  });
  return { status, headers, body };
}

/**
 * A Refusal thrown because no token came at all; the challenge then names no error (RFC 6750 §3.1).
 */
export class MissingToken extends Refusal {
  constructor() {
    super('invalid_token', { detail: 'Send an access token: Authorization: Bearer <token>.' });
  }
}

function bearerChallenge(problem: Refusal): string {
  if (problem instanceof MissingToken) return 'Bearer';
  if (problem.code === 'insufficient_user_authentication') {
    const { maxAgeSeconds, acrValues } = problem.options;
    const age = maxAgeSeconds === undefined ? '' : `, max_age="${maxAgeSeconds}"`;
    const acr = acrValues === undefined ? '' : `, acr_values="${acrValues}"`;
    return `Bearer error="insufficient_user_authentication", error_description="A fresh authentication is needed"${age}${acr}`;
  }
  return 'Bearer error="invalid_token", error_description="The token is not valid here"';
}
