/**
 * Refusals in the format of OAuth endpoints (RFC 6749 §5.2): OAuth libraries branch on `error`, and
 * `request_id` finds the log line.
 */
import { REFUSALS } from '../refusal.ts';
import type { Refusal, RefusalCode } from '../refusal.ts';
import { problemAnswer } from './answer.ts';
import type { Answer, HeaderRecord } from './answer.ts';
import { PROBLEMS } from './problems.ts';

export const OAUTH_ERROR_HEADERS: HeaderRecord = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
};

/** The error codes that these RFCs name: RFC 6749 §5.2, RFC 7009 §2.2.1, RFC 8707 §2. */
const ERRORS: Readonly<Partial<Record<RefusalCode, string>>> = {
  invalid_api_key: 'invalid_client',
  insufficient_scope: 'insufficient_scope',
  invalid_target: 'invalid_target',
  invalid_scope: 'invalid_scope',
  unauthorized_client: 'unauthorized_client',
  unsupported_grant_type: 'unsupported_grant_type',
  unsupported_token_type: 'unsupported_token_type',
  too_many_attempts: 'temporarily_unavailable',
  rate_limited: 'temporarily_unavailable',
  overloaded: 'temporarily_unavailable',
  internal_error: 'server_error',
};

/** Input validation uses 422, which these RFCs don't define: it is a 400 here. */
const UNPROCESSABLE = 422;

export function oauthErrorOf(code: RefusalCode): { status: number; error: string } {
  const { status } = PROBLEMS[code];
  return {
    status: status === UNPROCESSABLE ? 400 : status,
    error: ERRORS[code] ?? 'invalid_request',
  };
}

/** The characters of error_description (RFC 6749 §5.2): printable ASCII without quotes. */
function description(text: string): string {
  return text.replace(/["\\]/g, "'").replace(/[^\x20-\x7e]/g, '?');
}

export function oauthAnswer(refusal: Refusal, requestId: string): Answer {
  const { status, error } = oauthErrorOf(refusal.code);
  const { headers } = problemAnswer(refusal, requestId);
  const [first] = refusal.options.errors ?? [];
  const detail =
    first === undefined
      ? (refusal.options.detail ?? REFUSALS[refusal.code])
      : `${first.pointer.slice(1)}: ${first.detail}`;
  const body = JSON.stringify({
    error,
    error_description: description(detail),
    request_id: requestId,
  });
  return { status, headers, body };
}
