/**
 * Builds the status, headers and body of a result or a refusal before it becomes a Response. Header
 * records have lower-case names and are built once where they never change.
 */
import { Refusal, REFUSALS } from '../refusal.ts';
import { PROBLEMS, problemType } from './problems.ts';

export type HeaderRecord = Readonly<Record<string, string>>;

/** An answer. If `body` is undefined, the answer has no body. */
export interface Answer {
  readonly status: number;
  /** All headers except those that every answer of its kind has. */
  readonly headers: HeaderRecord;
  readonly body?: string | Buffer | undefined;
}

/** Headers of every problem document. */
export const PROBLEM_HEADERS: HeaderRecord = {
  'content-type': 'application/problem+json',
  'cache-control': 'no-store',
};

/**
 * The problem document of a refusal (RFC 9457), with the headers that its kind needs besides
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
  if (status === 401) headers['www-authenticate'] = challengeOf(problem);
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

/** Refuses a request without a token; its challenge then carries no error code (RFC 6750 §3.1). */
export class MissingToken extends Refusal {
  constructor() {
    super('invalid_token', { detail: 'Send an access token: Authorization: Bearer <token>.' });
  }
}

/** @see https://www.rfc-editor.org/rfc/rfc7617#section-2.1 */
const BASIC_CHALLENGE = 'Basic realm="postern", charset="UTF-8"';

function challengeOf(problem: Refusal): string {
  if (problem.code === 'invalid_api_key') return BASIC_CHALLENGE;
  if (problem instanceof MissingToken) return 'Bearer';
  if (problem.code === 'insufficient_user_authentication') {
    const { maxAgeSeconds, acrValues } = problem.options;
    const age = maxAgeSeconds === undefined ? '' : `, max_age="${maxAgeSeconds}"`;
    const acr = acrValues === undefined ? '' : `, acr_values="${acrValues}"`;
    return `Bearer error="insufficient_user_authentication", error_description="A fresh authentication is needed"${age}${acr}`;
  }
  return 'Bearer error="invalid_token", error_description="The token is not valid here"';
}
