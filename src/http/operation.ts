/**
 * Serving one route: everything around a handler (caller, body, schema, answer, problem) is here
 * once, for every route alike. Answers at once when nothing has to be waited for, so that a hot
 * route costs no turn of the event loop.
 */
import { DatabaseBusy, StorageUnavailable } from '../db/database.ts';
import { Refusal } from '../refusal.ts';
import type { Log } from '../lib/log.ts';
import { policyText, stateText } from '../core/limit/limits.ts';
import type { Limits } from '../core/limit/limits.ts';
import type { Principal } from '../core/session/session.ts';
import type { HeaderRecord } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { GiveDevice } from './device.ts';
import type { FaultFields } from './faults.ts';
import { inputFaults } from './fields.ts';
import { readJsonBody } from './front-door.ts';
import type { Params } from './paths.ts';
import type { AnyRoute, BearerSecurity, DocumentBytes, DocumentRoute, Route } from './route.ts';
import { bearerToken } from './security.ts';
import { MissingToken } from './answer.ts';

/** Whose access token this is. @throws {Refusal} of BEARER_PROBLEMS */
export type Authenticate = (token: string, security: BearerSecurity) => Promise<Principal>;

export interface OperationSettings {
  readonly log: Log;
  readonly faultFields: FaultFields;
  readonly authenticate: Authenticate;
  readonly limits: Pick<Limits, 'take'>;
  readonly giveDevice: GiveDevice;
  /** Whether answers carry the RateLimit fields. */
  readonly limitFields: boolean;
  /** Completes the headers of an answer with those of every answer. */
  readonly complete: (headers: HeaderRecord) => HeaderRecord;
  /**
   * Answers 500 to a Refusal that the route does not declare, instead of logging it: the document
   * must not lie.
   */
  readonly strictProblems: boolean;
}

export type Serve = (exchange: Exchange, params: Params) => Response | Promise<Response>;

/** How this route is served; it answers whatever happens. */
export function serveRoute(route: AnyRoute, settings: OperationSettings): Serve {
  const serve =
    route.kind === 'document' ? serveDocument(route, settings) : serveOperation(route, settings);
  const refuse = (exchange: Exchange, error: unknown): Response =>
    exchange.isAbandoned
      ? exchange.abandon()
      : exchange.refuse(publicRefusal(error, route, settings, exchange.requestId));
  return (exchange, params) => {
    try {
      const answered = serve(exchange, params);
      return answered instanceof Promise
        ? answered.catch((error: unknown) => refuse(exchange, error))
        : answered;
    } catch (error) {
      return refuse(exchange, error);
    }
  };
}

function serveDocument(route: DocumentRoute, { complete }: OperationSettings): Serve {
  const cached = { 'cache-control': `public, max-age=${route.maxAgeSeconds}` };
  const typed = { 'content-type': route.contentType, ...cached };
  let last: { document: DocumentBytes; headers: HeaderRecord } | undefined;
  return (exchange, params) => {
    const document = route.current(params);
    if (document === undefined) throw new Refusal('not_found');
    const { etag, body } = document;
    if (matchesEtag(exchange.arrival.header('if-none-match'), etag))
      return exchange.succeed({ status: 304, headers: complete({ etag, ...cached }) });
    if (last?.document !== document) last = { document, headers: complete({ ...typed, etag }) };
    return exchange.succeed({ status: 200, headers: last.headers, body });
  };
}

/** Weak comparison, as If-None-Match asks for (RFC 9110 §13.1.2). */
function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return (
    header.trim() === '*' ||
    header.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === etag)
  );
}

const NO_STORE: HeaderRecord = { 'cache-control': 'no-store' };

/** What a request does to the limit of its route. @throws {Refusal} rate_limited */
function limiter({ limit }: Route, { limits, limitFields }: OperationSettings) {
  if (limit === undefined) return null;
  return (exchange: Exchange): void => {
    const { principal, requester } = exchange;
    const state = limits.take(
      limit,
      principal === undefined
        ? { kind: 'network', requester }
        : { kind: 'session', id: principal.session.id },
    );
    if (state === null) return;
    if (limitFields) {
      exchange.always = { 'ratelimit-policy': policyText(state), ratelimit: stateText(state) };
    }
    const { retryAfterSeconds } = state;
    if (retryAfterSeconds !== null) throw new Refusal('rate_limited', { retryAfterSeconds });
  };
}

function serveOperation(route: Route, settings: OperationSettings): Serve {
  const { security, handle } = route;
  const { authenticate, complete } = settings;
  const countRequest = limiter(route, settings);
  const empty = complete(NO_STORE);
  const json = complete({ 'content-type': 'application/json', ...NO_STORE });
  const finish = (exchange: Exchange, result: unknown): Response =>
    route.reply === undefined
      ? exchange.succeed({ status: route.status, headers: empty })
      : exchange.succeed({
          status: route.accepted?.when(result) === true ? 202 : route.status,
          headers: json,
          body: JSON.stringify(route.reply.parse(result)),
        });
  const serve = async (exchange: Exchange, params: Params): Promise<Response> => {
    const { arrival } = exchange;
    const principal =
      security === 'public' ? undefined : await authenticate(accessToken(exchange), security);
    // Before the body is looked at, so that the log names the caller of a bad one.
    exchange.principal = principal;
    countRequest?.(exchange);
    const body = checkedBody(route, await readJsonBody(arrival), arrival.header('content-type'));
    const result = await handle(exchange.call(body, params, principal));
    if (route.renewsDevice === true) await settings.giveDevice(exchange, principal);
    return finish(exchange, result);
  };
  if (security !== 'public' || route.body !== undefined || countRequest !== null) return serve;
  return (exchange, params) => {
    if (exchange.arrival.hasContent) return serve(exchange, params);
    const result = handle(exchange.call(undefined, params, undefined));
    return result instanceof Promise
      ? result.then((settled) => finish(exchange, settled))
      : finish(exchange, result);
  };
}

function accessToken(exchange: Exchange): string {
  const token = bearerToken(
    exchange.header('authorization'),
    exchange.headerLines('authorization'),
  );
  if (token === null) throw new MissingToken();
  return token;
}

/** @throws {Refusal} unsupported_media_type, malformed_request, invalid_request */
function checkedBody(route: Route, received: unknown, contentType: string | undefined): unknown {
  if (route.body === undefined) {
    if (received === undefined || isEmptyObject(received)) return undefined;
    throw new Refusal('invalid_request', { detail: 'This takes no body, or {}.' });
  }
  if (received === undefined && route.bodyOptional !== true)
    throw new Refusal(contentType === undefined ? 'unsupported_media_type' : 'malformed_request', {
      detail: 'Send a JSON body with Content-Type: application/json.',
    });
  const parsed = route.body.safeParse(received ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw new Refusal('invalid_request', { errors: inputFaults(parsed.error) });
}

function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.keys(value).length === 0
  );
}

/** Refusals that any route can make, by what stands before its handler. */
const FRONT_DOOR: ReadonlySet<string> = new Set([
  'malformed_request',
  'unsupported_media_type',
  'content_too_large',
  'invalid_request',
  'internal_error',
  'overloaded',
  'storage_unavailable',
]);

/** After a full disk or a lock that is held; the log has said so once. */
const STORAGE_RETRY_SECONDS = 5;

const BEARER_PROBLEMS: ReadonlySet<string> = new Set([
  'invalid_token',
  'session_revoked',
  'insufficient_user_authentication',
]);

function isDeclared(route: AnyRoute, { code }: Refusal): boolean {
  if (FRONT_DOOR.has(code) || route.problems.includes(code)) return true;
  if (route.kind === 'document') return code === 'not_found';
  if (code === 'rate_limited' && route.limit !== undefined) return true;
  return route.security !== 'public' && BEARER_PROBLEMS.has(code);
}

/**
 * ASVS 16.5.4: whatever happens, the caller gets an answer that tells nothing, and the log gets the
 * rest.
 */
function publicRefusal(
  error: unknown,
  route: AnyRoute,
  { log, strictProblems, faultFields }: OperationSettings,
  requestId: string,
): Refusal {
  if (error instanceof DatabaseBusy || error instanceof StorageUnavailable)
    return new Refusal('storage_unavailable', { retryAfterSeconds: STORAGE_RETRY_SECONDS });
  const where = { request_id: requestId, 'http.route': route.path };
  if (!(error instanceof Refusal)) {
    log.write('error', 'request.failed', 'an unexpected error ended a request', {
      ...where,
      ...faultFields(error),
    });
    return new Refusal('internal_error', { cause: error });
  }
  if (isDeclared(route, error)) return error;
  log.write('error', 'problem.undeclared', 'a route refused with a code that it does not declare', {
    ...where,
    'error.type': error.code,
  });
  return strictProblems ? new Refusal('internal_error', { cause: error }) : error;
}
