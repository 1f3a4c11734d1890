/**
 * The one place that writes to a socket. Headers that never change are kept as one list of Node's
 * raw form, so that an answer costs a concatenation and not a Headers object.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal, REFUSALS } from '../refusal.ts';
import { hasContent } from './front-door.ts';

/** What is sent. `body` undefined is an empty answer. */
export interface Answer {
  readonly status: number;
  /** Name, value, name, value: Node's raw form; Set-Cookie may stand several times. */
  readonly headers: readonly string[];
  readonly body?: string | Buffer;
}

/**
 * No document of ours has an address yet, so the type is a name and not a link (RFC 9457 §3.1.1
 * allows both).
 */
const TYPE_BASE = 'urn:postern:problem:';

/** The `type` of a problem; docs/errors.md has a heading for each code. */
export const problemType = (code: string): string => `${TYPE_BASE}${code}`;

/**
 * The problem document of a refusal (RFC 9457), with the headers that its kind asks for.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-3 for WWW-Authenticate
 * @see https://www.rfc-editor.org/rfc/rfc9470#section-3 for max_age
 */
export function problemAnswer(problem: Refusal, requestId: string, challenge: boolean): Answer {
  const { status, title, detail } = REFUSALS[problem.code];
  const { options } = problem;
  const headers = ['content-type', 'application/problem+json', 'cache-control', 'no-store'];
  if (options.retryAfterSeconds !== undefined)
    headers.push('retry-after', String(options.retryAfterSeconds));
  if (challenge && status === 401) headers.push('www-authenticate', bearerChallenge(problem));
  const body = JSON.stringify({
    type: problemType(problem.code),
    title,
    status,
    detail: options.detail ?? detail,
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

/**
 * Writes an answer; an answer after the head went out is dropped, for then the socket is the only
 * thing left to end.
 */
export function send(
  request: IncomingMessage,
  response: ServerResponse,
  common: readonly string[],
  answer: Answer,
): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, body } = answer;
  const headers = common.concat(answer.headers);
  // A 204 has no content and no Content-Length (RFC 9110 §8.6).
  const length = body === undefined ? 0 : Buffer.byteLength(body);
  if (status !== 204 && status !== 304) headers.push('content-length', String(length));
  // A body that nobody read would be taken for the next request: end the connection instead of
  // draining without bound. What announces no body is as good as complete, though Node may say so
  // only after this answer.
  if (!request.complete && hasContent(request) && !answer.headers.includes('connection'))
    headers.push('connection', 'close');
  response.writeHead(status, headers);
  // A text of ASCII alone goes out as one string with its head, in one write and without a look at
  // its encoding.
  if (body !== undefined && length === body.length) response.end(body, 'latin1');
  else response.end(body);
}
