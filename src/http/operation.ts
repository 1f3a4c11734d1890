/**
 * Serves one route: everything around a handler (caller, body, schema, answer, problem), for every
 * route alike. Runs synchronously when nothing has to be awaited, so that a hot route needs no
 * extra turn of the event loop.
 */
import type { ZodType } from 'zod';
import { DatabaseBusy, StorageUnavailable } from '../db/database.ts';
import { Refusal } from '../refusal.ts';
import type { Log } from '../lib/log.ts';
import { policyText, stateText } from '../core/limit/limits.ts';
import type { LimitedClient, Limits } from '../core/limit/limits.ts';
import type { Principal } from '../core/session/session.ts';
import { presentedApiKey } from './api-key-credentials.ts';
import type { AuthenticateApiKey } from './api-key-credentials.ts';
import type { HeaderRecord } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { GiveDevice } from './device.ts';
import type { FaultFields } from './faults.ts';
import { inputFaults } from './fields.ts';
import { parseForm, readFormBody } from './form.ts';
import { readJsonBody } from './front-door.ts';
import { readNdjsonBody } from './ndjson.ts';
import { CALLER_PROBLEMS, mayBeOnBehalf, speakForUser } from './on-behalf.ts';
import type { Params } from './paths.ts';
import type { AnyRoute, ApiKeySecurity, BearerSecurity, Route } from './route.ts';
import { bearerToken } from './security.ts';
import { serveDocument } from './serve-document.ts';
import type { Serve } from './serve-document.ts';
import { MissingToken } from './answer.ts';

/** The principal of the request. @throws {Refusal} of BEARER_PROBLEMS */
export type Authenticate = (token: string, security: BearerSecurity) => Promise<Principal>;

export interface OperationSettings {
  readonly log: Log;
  readonly faultFields: FaultFields;
  readonly authenticate: Authenticate;
  readonly authenticateApiKey: AuthenticateApiKey;
  readonly limits: Pick<Limits, 'take'>;
  readonly giveDevice: GiveDevice;
  /** Whether answers carry the RateLimit fields. */
  readonly limitFields: boolean;
  /** Adds the headers that every answer has. */
  readonly complete: (headers: HeaderRecord) => HeaderRecord;
  /**
   * Answers 500 to a Refusal that the route does not declare, instead of only logging it, so that
   * tests find it.
   */
  readonly strictProblems: boolean;
}

export type { Serve };

/** Serves this route; it always sends an answer. */
export function serveRoute(route: AnyRoute, settings: OperationSettings): Serve {
  const serve =
    route.kind === 'document'
      ? serveDocument(route, settings.complete)
      : serveOperation(route, settings);
  const isOauth = route.kind === 'operation' && route.protocol === 'oauth';
  const refuse = (exchange: Exchange, error: unknown): Response => {
    if (exchange.isAbandoned) return exchange.abandon();
    const refusal = publicRefusal(error, route, settings, exchange.requestId);
    return isOauth ? exchange.refuseOauth(refusal) : exchange.refuse(refusal);
  };
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

const NO_STORE: HeaderRecord = { 'cache-control': 'no-store' };

/** The limit that a request counts against: its API key's, its session's, or its network's. */
function clientOf({ apiKey, principal, requester }: Exchange): LimitedClient {
  if (apiKey !== undefined) return { kind: 'api_key', id: apiKey.id };
  if (principal !== undefined) return { kind: 'session', id: principal.session.id };
  return { kind: 'network', requester };
}

/** Counts a request against the limit of its route. @throws {Refusal} rate_limited */
function limiter({ limit }: Route, { limits, limitFields }: OperationSettings) {
  if (limit === undefined) return null;
  return (exchange: Exchange): void => {
    const state = limits.take(limit, clientOf(exchange));
    if (state === null) return;
    if (limitFields) {
      exchange.always = { 'ratelimit-policy': policyText(state), ratelimit: stateText(state) };
    }
    const { retryAfterSeconds } = state;
    if (retryAfterSeconds !== null) throw new Refusal('rate_limited', { retryAfterSeconds });
  };
}

const BODY_READERS = { json: readJsonBody, oauth: readFormBody, ndjson: readNdjsonBody };

function serveOperation(route: Route, settings: OperationSettings): Serve {
  const { security, handle } = route;
  const { complete } = settings;
  const readBody = BODY_READERS[route.protocol ?? 'json'];
  const countRequest = limiter(route, settings);
  const isForUsers = mayBeOnBehalf(security);
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
    if (isForUsers && exchange.header('postern-key') !== null)
      await speakForUser(exchange, settings.authenticateApiKey);
    // Before the body is read, so that the log names the caller of an invalid one.
    if (security !== 'public') await authenticateCaller(exchange, security, settings);
    countRequest?.(exchange);
    if (route.query !== undefined) exchange.query = checkedQuery(route.query, arrival.query);
    const body = checkedBody(route, await readBody(arrival), arrival.header('content-type'));
    const result = await handle(exchange.call(body, params));
    if (route.renewsDevice === true) await settings.giveDevice(exchange, exchange.principal);
    return finish(exchange, result);
  };
  const isSimple = security === 'public' && route.body === undefined && route.query === undefined;
  if (!isSimple || countRequest !== null) return serve;
  return (exchange, params) => {
    if (exchange.arrival.hasContent) return serve(exchange, params);
    const result = handle(exchange.call(undefined, params));
    return result instanceof Promise
      ? result.then((settled) => finish(exchange, settled))
      : finish(exchange, result);
  };
}

/** Sets the caller: a user or an API key, as the route requires. */
async function authenticateCaller(
  exchange: Exchange,
  security: BearerSecurity | ApiKeySecurity,
  { authenticate, authenticateApiKey }: OperationSettings,
): Promise<void> {
  if (security.scheme === 'bearer')
    exchange.principal = await authenticate(accessToken(exchange), security);
  else
    exchange.apiKey = await authenticateApiKey(
      exchange.requester,
      presentedApiKey(exchange),
      security.scope,
    );
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
    throw new Refusal('invalid_request', { detail: 'This route takes no body, or {}.' });
  }
  if (received === undefined && route.bodyOptional !== true)
    throw new Refusal(contentType === undefined ? 'unsupported_media_type' : 'malformed_request', {
      detail:
        route.protocol === 'oauth'
          ? 'Send a form with Content-Type: application/x-www-form-urlencoded.'
          : 'Send a JSON body with Content-Type: application/json.',
    });
  const parsed = route.body.safeParse(received ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw new Refusal('invalid_request', { errors: inputFaults(parsed.error) });
}

/** @throws {Refusal} malformed_request, invalid_request: pointers name the parameter */
function checkedQuery(schema: ZodType, query: string): unknown {
  const parsed = schema.safeParse(parseForm(query, 'query'), { reportInput: true });
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

/** Refusals that any route can make, because of the checks before its handler. */
const FRONT_DOOR: ReadonlySet<string> = new Set([
  'malformed_request',
  'unsupported_media_type',
  'content_too_large',
  'invalid_request',
  'internal_error',
  'overloaded',
  'storage_unavailable',
]);

/** The database takes no writes (full disk, lock); that has been logged once already. */
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
  if (CALLER_PROBLEMS.includes(code)) return true;
  return (
    route.security !== 'public' && route.security.scheme === 'bearer' && BEARER_PROBLEMS.has(code)
  );
}

/**
 * ASVS 16.5.4: after any unexpected error the caller gets an answer without details, and the log
 * gets the details.
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
