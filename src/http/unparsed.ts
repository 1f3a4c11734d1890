/**
 * Answers to input that never became a request: bytes that are not HTTP, headers that are too
 * large, a request that was never completed, an unknown method. They carry the headers of every
 * answer and close the connection.
 */
import { REFUSALS } from '../refusal.ts';
import type { RefusalCode } from '../refusal.ts';
import type { Log } from '../lib/log.ts';
import type { HeaderRecord } from './answer.ts';
import { PROBLEMS, problemType } from './problems.ts';

export type UnparsedFault = 'malformed' | 'header_too_large' | 'timed_out' | 'unknown_method';

interface Shape {
  readonly status: number;
  readonly reason: string;
  readonly code: RefusalCode;
  readonly headers?: string;
}

const SHAPES: Readonly<Record<UnparsedFault, Shape>> = {
  malformed: { status: 400, reason: 'Bad Request', code: 'malformed_request' },
  header_too_large: {
    status: 431,
    reason: 'Request Header Fields Too Large',
    code: 'header_too_large',
  },
  timed_out: { status: 408, reason: 'Request Timeout', code: 'request_timeout' },
  // The path is not known here: these are the methods of all routes.
  unknown_method: {
    status: 405,
    reason: 'Method Not Allowed',
    code: 'method_not_allowed',
    headers: 'allow: GET, HEAD, POST, PATCH, DELETE, OPTIONS\r\n',
  },
};

interface Shared {
  readonly common: HeaderRecord;
  readonly log: Log;
  readonly requestId: (given: undefined) => string;
}

/** Builds complete answers, from status line to body. */
export function unparsedAnswers({
  common,
  log,
  requestId,
}: Shared): (fault: UnparsedFault, address: string | null) => string {
  const always = Object.entries(common)
    .filter(([name]) => name !== 'x-request-id')
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  return (fault, address) => {
    const { status, reason, code, headers = '' } = SHAPES[fault];
    const id = requestId(undefined);
    const body = JSON.stringify({
      type: problemType(code),
      title: PROBLEMS[code].title,
      status,
      detail: REFUSALS[code],
      code,
      request_id: id,
    });
    log.write('info', 'http.unparsed', '', {
      request_id: id,
      'client.address': address,
      'http.response.status_code': status,
      'error.type': code,
      reason: fault,
    });
    return (
      `HTTP/1.1 ${status} ${reason}\r\n${always}x-request-id: ${id}\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n${headers}` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
    );
  };
}
