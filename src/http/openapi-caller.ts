/** The OpenAPI description of front-ends that call for their users (http/on-behalf.ts). */
import type { RefusalCode } from '../refusal.ts';
import { CALLER_PROBLEMS, mayBeOnBehalf } from './on-behalf.ts';
import type { Json } from './openapi-components.ts';
import type { Security } from './route.ts';

export const CALLER_PARAMETERS = {
  PosternKey: {
    name: 'Postern-Key',
    in: 'header',
    required: false,
    schema: { type: 'string' },
    description:
      'Of a server-rendered front-end that calls for its users: an API key of the scope caller, id:secret. Forwarded then counts from anywhere.',
  },
  Forwarded: {
    name: 'Forwarded',
    in: 'header',
    required: false,
    schema: { type: 'string' },
    example: 'for=192.0.2.1',
    description:
      'With Postern-Key: the address of the user (RFC 7239 section 5.2), one, for limits, sessions and the log.',
  },
};

export interface CallerPart {
  readonly parameters: readonly Json[];
  readonly problems: readonly RefusalCode[];
}

/** The headers and refusals that every route for users has. */
export function callerPart(security: Security): CallerPart {
  if (!mayBeOnBehalf(security)) return { parameters: [], problems: [] };
  return {
    parameters: Object.keys(CALLER_PARAMETERS).map((name) => ({
      $ref: `#/components/parameters/${name}`,
    })),
    problems: CALLER_PROBLEMS,
  };
}
