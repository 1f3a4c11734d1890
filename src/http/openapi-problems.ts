/** The OpenAPI description of refusals, except those of OAuth endpoints. */
import { REFUSALS } from '../refusal.ts';
import type { RefusalCode } from '../refusal.ts';
import type { Json } from './openapi-components.ts';
import { CALLER_PROBLEMS } from './on-behalf.ts';
import { PROBLEMS, problemType } from './problems.ts';

/** What any body may be refused with. */
export const BODY_PROBLEMS: readonly RefusalCode[] = [
  'malformed_request',
  'content_too_large',
  'unsupported_media_type',
  'invalid_request',
];

const CALLERS_ONLY = ' (with Postern-Key)';

/**
 * Problems by status; each lists its codes and shows the document of the first.
 *
 * @param ofCallers problems that only requests with `Postern-Key` get
 */
export function problemResponses(
  own: readonly RefusalCode[],
  ofCallers: readonly RefusalCode[] = [],
): Json {
  const more = ofCallers.filter((code) => !own.includes(code));
  const codes = [...own, ...more];
  const condition = (code: RefusalCode): string => (more.includes(code) ? CALLERS_ONLY : '');
  const byStatus = new Map<number, RefusalCode[]>();
  for (const code of codes)
    byStatus.set(PROBLEMS[code].status, [...(byStatus.get(PROBLEMS[code].status) ?? []), code]);
  const responses: Json = {};
  for (const [status, ofStatus] of [...byStatus].sort(([a], [b]) => a - b)) {
    if (ofStatus.every((code) => more.includes(code))) {
      responses[status] = { $ref: `#/components/responses/Caller${status}` };
      continue;
    }
    responses[status] = {
      description: ofStatus
        .map((code) => `\`${code}\`${condition(code)}: ${REFUSALS[code]}`)
        .join(' '),
      ...(status === 429 || status === 503
        ? { headers: { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } } }
        : {}),
      ...(status === 401
        ? { headers: { 'WWW-Authenticate': { schema: { type: 'string' } } } }
        : {}),
      content: {
        'application/problem+json': {
          schema: {
            allOf: [
              { $ref: '#/components/schemas/Problem' },
              { properties: { code: { enum: ofStatus } } },
            ],
          },
          examples: Object.fromEntries(
            ofStatus
              .filter((code) => !more.includes(code))
              .map((code) => [
                code,
                { value: { type: problemType(code), status, code, ...exampleOf(code) } },
              ]),
          ),
        },
      },
    };
  }
  return responses;
}

function exampleOf(code: RefusalCode): Json {
  return {
    title: PROBLEMS[code].title,
    detail: REFUSALS[code],
    request_id: 'b1946ac92492-1',
  };
}

/** The refusals that come before every route, documented once for all. */
const EVERYWHERE: readonly RefusalCode[] = [
  'method_not_allowed',
  'request_timeout',
  'header_too_large',
  'internal_error',
];
const named = (prefix: string, codes: readonly RefusalCode[]): Json =>
  Object.fromEntries(
    Object.entries(problemResponses(codes)).map(([status, response]) => [
      `${prefix}${status}`,
      response,
    ]),
  );
export const COMMON_RESPONSES = {
  ...named('Problem', EVERYWHERE),
  ...named('Caller', CALLER_PROBLEMS),
};
export const COMMON_REFERENCES = Object.fromEntries(
  Object.keys(problemResponses(EVERYWHERE)).map((status) => [
    status,
    { $ref: `#/components/responses/Problem${status}` },
  ]),
);

/** The refusals that keep the problem format at OAuth endpoints. */
export const BEFORE_ROUTES = Object.fromEntries(
  Object.entries(COMMON_REFERENCES).filter(([status]) => status !== '500'),
);
