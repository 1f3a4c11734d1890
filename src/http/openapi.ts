/**
 * The OpenAPI document, generated from the route values: the server runs the same values, so the
 * document can't disagree with it.
 *
 * @see https://spec.openapis.org/oas/v3.1.1
 */
import * as z from 'zod';
import type { RefusalCode } from '../refusal.ts';
import { isJsonObject } from '../lib/json.ts';
import { DEVICE_HEADERS } from './device.ts';
import { examplesMember, examplesOf } from './examples.ts';
import { oauthErrorResponses } from './oauth-openapi.ts';
import { CALLER_PARAMETERS, callerPart } from './openapi-caller.ts';
import { BODY_TYPES, componentsOut } from './openapi-components.ts';
import type { Json } from './openapi-components.ts';
import {
  SECURITY_SCHEMES,
  isFreshSecurity,
  securityProblems,
  securityRequirement,
} from './openapi-security.ts';
import {
  BEFORE_ROUTES,
  BODY_PROBLEMS,
  COMMON_REFERENCES,
  COMMON_RESPONSES,
  problemResponses,
} from './openapi-problems.ts';
import { queryParameters } from './openapi-query.ts';
import { tagsOf } from './openapi-tags.ts';
import { jsonDocument } from './document-bytes.ts';
import { document } from './route.ts';
import type { AnyRoute, DocumentBytes, Route } from './route.ts';

const ProblemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string().meta({ description: 'Stable; programs branch on it.' }),
    request_id: z.string(),
    errors: z
      .array(
        z.object({
          pointer: z.string().meta({ description: 'The place in the body (RFC 6901).' }),
          code: z.string(),
          detail: z.string(),
        }),
      )
      .optional()
      .meta({ description: 'With invalid_request: each fault of the input.' }),
    reset_token: z
      .string()
      .optional()
      .meta({ description: 'With password_change_required: what POST /password/reset takes.' }),
    email_sent: z
      .literal(true)
      .optional()
      .meta({ description: 'With password_change_required: a link was sent instead.' }),
    factors: z.array(z.string()).optional().meta({
      description:
        'With insufficient_user_authentication for a user who has a second factor: the factors that POST /reauthenticate accepts.',
    }),
    expires_in: z
      .number()
      .int()
      .optional()
      .meta({ description: 'With password_change_required: seconds until reset_token expires.' }),
    unknown_credential: z.object({ rpId: z.string(), credentialId: z.string() }).optional().meta({
      description:
        'With invalid_credentials for a passkey that is unknown to this service: the argument of PublicKeyCredential.signalUnknownCredential().',
    }),
    reasons: z
      .array(z.string())
      .optional()
      .meta({ description: 'With not_ready: what is missing.' }),
  })
  .meta({ id: 'Problem' });

export interface DocumentInfo {
  readonly title: string;
  readonly version: string;
  /** Becomes the document's server. */
  readonly issuer: string;
  /** Names of the enabled factors. */
  readonly factors: readonly string[];
}

/** Lists the enabled factors: no static schema has them, because a factor is a plug-in. */
function enumerateFactors(components: ReadonlyMap<string, unknown>, factors: readonly string[]) {
  for (const name of ['MfaRequired', 'Problem']) {
    const properties = memberOf(components.get(name), 'properties');
    const items = memberOf(memberOf(properties, 'factors'), 'items');
    if (isJsonObject(items)) items['enum'] = factors;
  }
}

function memberOf(value: unknown, name: string): unknown {
  return isJsonObject(value) ? value[name] : undefined;
}

/** The document of these routes. */
export function openapi(routes: readonly AnyRoute[], info: DocumentInfo): Json {
  const paths: Record<string, Json> = {};
  const components = new Map<string, unknown>();
  const schema = (type: z.ZodType, io: 'input' | 'output'): unknown =>
    componentsOut(
      z.toJSONSchema(type, { io, unrepresentable: 'any', target: 'draft-2020-12' }),
      components,
    );
  schema(ProblemSchema, 'output');
  for (const route of routes) {
    const operation =
      route.kind === 'document' ? documentOperation(route) : operationOf(route, schema);
    paths[route.path] = { ...paths[route.path], [route.method]: operation };
  }
  enumerateFactors(components, info.factors);
  return {
    openapi: '3.1.1',
    info: {
      title: info.title,
      version: info.version,
      summary: 'Headless authentication: accounts, sessions, tokens.',
      description:
        'Every refusal is application/problem+json (RFC 9457) with a stable `code`. Unknown members of a body are refused. Every answer carries X-Request-Id.',
      contact: { name: 'The operators of this service' },
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: info.issuer }],
    tags: tagsOf(routes),
    paths,
    components: {
      schemas: Object.fromEntries(components),
      parameters: CALLER_PARAMETERS,
      responses: COMMON_RESPONSES,
      securitySchemes: SECURITY_SCHEMES,
    },
  };
}

function operationId(route: AnyRoute): string {
  const words = route.path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return [route.method, ...(words.length === 0 ? ['index'] : words)]
    .map((word, index) => (index === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1)))
    .join('');
}

/** Descriptions of path parameters. */
const IN_PATHS: Readonly<Record<string, string>> = {
  id: 'An id from the list of these resources.',
  session_id: 'An id from the list of sessions.',
  email_id: 'An id from the list of emails.',
  kid: 'The kid in the header of a token.',
  n: 'The number of the list, from the uri in status.status_list.',
};

function common(route: AnyRoute, shared: readonly Json[] = []): Json {
  const ofPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    description: IN_PATHS[name],
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const parameters = [...ofPath, ...shared];
  return {
    operationId: operationId(route),
    tags: [route.tag],
    summary: route.summary,
    description: route.description ?? `${route.summary}.`,
    ...(parameters.length === 0 ? {} : { parameters }),
  };
}

function documentOperation(route: Extract<AnyRoute, { kind: 'document' }>): Json {
  return {
    ...common(route),
    security: [],
    responses: {
      200: {
        description: route.summary,
        headers: { ETag: { schema: { type: 'string' } } },
        content: {
          [route.contentType]: {
            schema: { type: /\bjson$/.test(route.contentType) ? 'object' : 'string' },
            ...examplesMember(examplesOf(route.method, route.path).answers.get(200)),
          },
        },
      },
      304: { description: 'Not modified: the caller already has it (If-None-Match).' },
      ...problemResponses(route.problems),
      ...COMMON_REFERENCES,
    },
  };
}

function operationOf(
  route: Route,
  schema: (type: z.ZodType, io: 'input' | 'output') => unknown,
): Json {
  const isFresh = isFreshSecurity(route.security);
  const problems = new Set<RefusalCode>([
    ...BODY_PROBLEMS,
    'overloaded',
    'storage_unavailable',
    ...route.problems,
    ...securityProblems(route.security),
  ]);
  if (route.limit !== undefined) problems.add('rate_limited');
  const bodyType = BODY_TYPES[route.protocol ?? 'json'];
  const headers = Object.fromEntries(
    Object.entries({
      ...(route.renewsDevice === true ? DEVICE_HEADERS : {}),
      ...route.headers,
    }).map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
  );
  const caller = callerPart(route.security);
  const base = common(route, [...queryParameters(route.query, schema), ...caller.parameters]);
  const examples = examplesOf(route.method, route.path);
  return {
    ...base,
    ...(isFresh
      ? {
          description: [route.description, 'Needs a fresh authentication (sessions.fresh_for).']
            .filter((line) => line !== undefined)
            .join(' '),
        }
      : {}),
    security: securityRequirement(route),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: route.bodyOptional !== true,
            content: {
              [bodyType]: {
                schema: schema(route.body, 'input'),
                ...examplesMember(examples.request),
              },
            },
          },
        }),
    responses: {
      [route.status]: {
        description: route.reply === undefined ? 'Done.' : route.summary,
        ...(Object.keys(headers).length === 0 ? {} : { headers }),
        ...(route.reply === undefined
          ? {}
          : {
              content: {
                'application/json': {
                  schema: schema(route.reply, 'output'),
                  ...examplesMember(examples.answers.get(route.status)),
                },
              },
            }),
      },
      ...(route.accepted === undefined
        ? {}
        : {
            202: {
              description: 'Accepted; the answer says what to do next.',
              content: {
                'application/json': {
                  schema: schema(route.accepted.reply, 'output'),
                  ...examplesMember(examples.answers.get(202)),
                },
              },
            },
          }),
      ...(route.protocol === 'oauth'
        ? oauthErrorResponses([...problems], schema)
        : problemResponses([...problems], caller.problems)),
      ...(route.protocol === 'oauth' ? BEFORE_ROUTES : COMMON_REFERENCES),
    },
  };
}

/** The routes, and one more that serves the document of all of them. */
export function withOpenapi(routes: readonly AnyRoute[], info: DocumentInfo): readonly AnyRoute[] {
  const own = document({
    path: '/openapi.json',
    tag: 'Operations',
    summary: 'This document',
    contentType: 'application/json',
    maxAgeSeconds: 300,
    problems: [],
    // Built on the first request: it takes longer than the rest of the start.
    current: () => (made ??= jsonDocument(openapi(all, info))),
  });
  let made: DocumentBytes | undefined;
  const all = [...routes, own];
  return all;
}
