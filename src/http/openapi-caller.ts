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
      'For a server-rendered front-end that calls for its users: an API key with the scope caller, as id:secret. Forwarded is then trusted from any address.',
  },
  Forwarded: {
    name: 'Forwarded',
    in: 'header',
    required: false,
    schema: { type: 'string' },
    example: 'for=192.0.2.1',
    description:
      'With Postern-Key: the single address of the user (RFC 7239 section 5.2), used for limits, sessions and the log.',
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
