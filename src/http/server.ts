/**
 * Routes in, request listener out. The router matches the decoded path; everything around a handler
 * (front door, caller, schema, answer, problem, log line) is here once, for every route alike.
 * Answers are written to Node's response directly.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { DatabaseBusy } from '../db/database.ts';
import { Refusal } from '../refusal.ts';
import type { App } from '../app/capabilities.ts';
import { exceptionFields } from '../lib/log.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeShared } from './exchange.ts';
import { createCors } from './cors.ts';
import { hasContent, readJsonBody } from './front-door.ts';
import { securityHeaders } from './headers.ts';
import { inputFaults } from './fields.ts';
import { addressReader } from './requester.ts';
import { countHeader, requestIds } from './requests.ts';
import { unparsedAnswers } from './unparsed.ts';
import type { UnparsedFault } from './unparsed.ts';
import { createRouter, pathOf } from './router.ts';
import type { Params } from './router.ts';
import { authenticateBearer } from './security.ts';
import type { AnyRoute, DocumentRoute, Route } from './route.ts';

export interface ServerOptions {
  /**
   * Answers 500 to a Refusal that the route does not declare, instead of logging it: the document
   * must not lie.
   */
  readonly strictProblems?: boolean;
  /** Told of each finished request, for metrics. */
  readonly onRequest?: (route: string, method: string, status: number, durationMs: number) => void;
}

export interface HttpServer {
  /** The listener of a TCP or a Unix socket; over the latter a forwarded address counts. */
  listener(kind: 'tcp' | 'unix'): RequestListener;
  /**
   * The whole answer, as bytes of HTTP/1.1, to what never became a request; it is logged as it is
   * made.
   */
  unparsed(fault: UnparsedFault): string;
  /** Logs that a connection could not be accepted. */
  acceptFailed(error: Error): void;
}

/** Makes the server of these routes. */
export function createServer(
  app: App,
  routes: readonly AnyRoute[],
  options: ServerOptions = {},
): HttpServer {
  const { config } = app;
  const cors = createCors(
    config.server.cors_origins,
    config.cookies.enabled ? config.cookies.allowed_origins : [],
  );
  const shared = {
    common: Object.entries(
      securityHeaders({
        hsts: config.server.hsts && config.server.public_url.startsWith('https:'),
      }),
    ).flat(),
    cors,
    clock: app.clock,
    log: app.log,
    requestId: requestIds(app.random),
    addressOf: addressReader(config.server.trusted_proxies),
    onRequest: options.onRequest,
  };

  const router = createRouter(
    routes.map((route) => ({
      method: route.method.toUpperCase(),
      path: route.path,
      value: {
        path: route.path,
        serve:
          route.kind === 'document' ? serveDocument(route) : serveOperation(app, route, options),
      },
    })),
  );

  const build = (unixListener: boolean): RequestListener => {
    const ofListener: ExchangeShared = { ...shared, unixListener };
    const refuseUnmatched = (
      incoming: IncomingMessage,
      outgoing: ServerResponse,
      path: string | null,
    ): void => {
      const exchange = new Exchange(ofListener, incoming, outgoing, '');
      if (path === null)
        exchange.refuse(
          new Refusal('malformed_request', {
            detail: 'The request line or its headers could not be read.',
          }),
          ['connection', 'close'],
        );
      else answerUnmatched(exchange, router.methods(path));
    };
    return (incoming, outgoing) => {
      const path = isUnreadable(incoming) ? null : pathOf(incoming.url ?? '');
      const { method = '' } = incoming;
      const matched =
        path === null ? undefined : router.match(method === 'HEAD' ? 'GET' : method, path);
      if (matched === undefined) {
        refuseUnmatched(incoming, outgoing, path);
        return;
      }
      const exchange = new Exchange(ofListener, incoming, outgoing, matched.value.path);
      try {
        const serving = matched.value.serve(exchange, matched.params);
        if (serving !== undefined)
          serving.catch((error: unknown) => lastResort(app, exchange, error));
      } catch (error) {
        lastResort(app, exchange, error);
      }
    };
  };
  return {
    listener: (kind) => build(kind === 'unix'),
    unparsed: unparsedAnswers(shared),
    acceptFailed: (error) =>
      app.log.write(
        'error',
        'server.accept_failed',
        'a connection could not be accepted; the listener goes on',
        exceptionFields(error),
      ),
  };
}

const MAX_HEADER_LINES = 100;
const TARGET = /^(?:https?:\/\/[^/?#]*)?\/?[!$%&'()*+,\-./:;=?@A-Z[\]_a-z~0-9]*$/;

/**
 * What no route should have to look at: targets that are no path, hosts that are none, headers
 * without end, TE beside CL.
 */
function isUnreadable(request: IncomingMessage): boolean {
  const { headers } = request;
  if (request.rawHeaders.length > 2 * MAX_HEADER_LINES) return true;
  if (!TARGET.test(request.url ?? '')) return request.method !== 'OPTIONS' || request.url !== '*';
  if (
    headers['transfer-encoding'] !== undefined &&
    (headers['content-length'] !== undefined || headers['transfer-encoding'] !== 'chunked')
  )
    return true;
  // Node keeps the first of two Host lines without a word; a proxy in front may have believed the
  // other (RFC 9112 §3.2).
  return (
    headers.host === undefined ||
    !HOST.test(headers.host) ||
    countHeader(request.rawHeaders, 'host') !== 1
  );
}

const HOST = /^(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;

function answerUnmatched(exchange: Exchange, methods: readonly string[]): void {
  const { method } = exchange.incoming;
  if (method === 'OPTIONS' && methods.length > 0) {
    exchange.preflight([...methods, 'OPTIONS']);
    return;
  }
  if (methods.length > 0 || method === 'TRACE' || method === 'TRACK')
    exchange.refuse(new Refusal('method_not_allowed'), [
      'allow',
      [...methods, 'OPTIONS'].join(', '),
    ]);
  else exchange.refuse(new Refusal('not_found'));
}

/**
 * Answers at once when nothing has to be waited for, so that a hot route costs no turn of the event
 * loop.
 */
type Serve = (exchange: Exchange, params: Params) => Promise<void> | undefined;

function serveDocument(route: DocumentRoute): Serve {
  const fresh = `public, max-age=${route.maxAgeSeconds}`;
  return (exchange, params) => {
    const document = route.current(params);
    if (document === undefined) exchange.refuse(new Refusal('not_found'));
    else if (matchesEtag(exchange.incoming.headers['if-none-match'], document.etag))
      exchange.answer({ status: 304, headers: ['etag', document.etag, 'cache-control', fresh] });
    else {
      exchange.answer({
        status: 200,
        headers: ['content-type', route.contentType, 'etag', document.etag, 'cache-control', fresh],
        body: document.body,
      });
    }
    return undefined;
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

function serveOperation(app: App, route: Route, options: ServerOptions): Serve {
  const { security, handle } = route;
  const finish = (exchange: Exchange, result: unknown): void => {
    if (route.reply === undefined)
      exchange.answer({ status: route.status, headers: exchange.extraHeaders(NO_STORE) });
    else
      exchange.answer({
        status: route.accepted?.when(result) === true ? 202 : route.status,
        headers: exchange.extraHeaders(JSON_HEADERS),
        body: JSON.stringify(route.reply.parse(result)),
      });
  };
  const serve = async (exchange: Exchange, params: Params): Promise<void> => {
    try {
      const { headers, rawHeaders } = exchange.incoming;
      const principal =
        security === 'public'
          ? undefined
          : await authenticateBearer(app, security, headers.authorization, rawHeaders);
      const body = await parseBody(route, exchange.incoming);
      finish(exchange, await handle(exchange.call(body, params, principal)));
    } catch (error) {
      refuse(app, route, exchange, error, options);
    }
  };
  if (security !== 'public' || route.body !== undefined) return serve;
  return (exchange, params) => {
    if (hasContent(exchange.incoming)) return serve(exchange, params);
    try {
      const result = handle(exchange.call(undefined, params, undefined));
      if (result instanceof Promise)
        return result
          .then((settled) => finish(exchange, settled))
          .catch((error: unknown) => refuse(app, route, exchange, error, options));
      finish(exchange, result);
    } catch (error) {
      refuse(app, route, exchange, error, options);
    }
    return undefined;
  };
}

const NO_STORE: readonly string[] = ['cache-control', 'no-store'];
const JSON_HEADERS: readonly string[] = [
  'content-type',
  'application/json',
  'cache-control',
  'no-store',
];

/** @throws {Refusal} of the front door, and invalid_request */
async function parseBody(route: Route, request: IncomingMessage): Promise<unknown> {
  const received = await readJsonBody(request);
  if (route.body === undefined) {
    if (received === undefined) return undefined;
    if (typeof received === 'object' && received !== null && !Array.isArray(received)) {
      const names = Object.keys(received);
      if (names.length === 0) return undefined;
    }
    throw new Refusal('invalid_request', { detail: 'This takes no body, or {}.' });
  }
  if (received === undefined && route.bodyOptional !== true)
    throw new Refusal(
      request.headers['content-type'] === undefined
        ? 'unsupported_media_type'
        : 'malformed_request',
      { detail: 'Send a JSON body with Content-Type: application/json.' },
    );
  const parsed = route.body.safeParse(received ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw new Refusal('invalid_request', { errors: inputFaults(parsed.error) });
}

/** Refusals that any route can make, by what stands before its handler. */
const FRONT_DOOR = new Set([
  'malformed_request',
  'unsupported_media_type',
  'content_too_large',
  'invalid_request',
  'internal_error',
  'overloaded',
]);

function refuse(
  app: App,
  route: Route,
  exchange: Exchange,
  caught: unknown,
  options: ServerOptions,
): void {
  if (exchange.isAbandoned) {
    exchange.abandon();
    return;
  }
  const error =
    caught instanceof DatabaseBusy
      ? new Refusal('overloaded', { retryAfterSeconds: 1, cause: caught })
      : caught;
  if (error instanceof Refusal) {
    const declared =
      FRONT_DOOR.has(error.code) ||
      route.problems.includes(error.code) ||
      (route.security !== 'public' && BEARER_PROBLEMS.has(error.code));
    if (declared) {
      exchange.refuse(error);
      return;
    }
    app.log.write(
      'error',
      'problem.undeclared',
      'a route refused with a code that it does not declare',
      { request_id: exchange.requestId, 'http.route': route.path, 'error.type': error.code },
    );
    exchange.refuse(
      options.strictProblems === true ? new Refusal('internal_error', { cause: error }) : error,
    );
    return;
  }
  app.log.write('error', 'request.failed', 'an unexpected error ended a request', {
    request_id: exchange.requestId,
    'http.route': route.path,
    ...exceptionFields(error),
  });
  exchange.refuse(new Refusal('internal_error', { cause: error }));
}

const BEARER_PROBLEMS: ReadonlySet<string> = new Set([
  'invalid_token',
  'session_revoked',
  'insufficient_user_authentication',
]);

/**
 * ASVS 16.5.4: whatever happens, the caller gets an answer that tells nothing, and the log gets the
 * rest.
 */
function lastResort(app: App, exchange: Exchange, error: unknown): void {
  app.log.write('error', 'request.failed', 'an unexpected error ended a request', {
    request_id: exchange.requestId,
    ...exceptionFields(error),
  });
  exchange.refuse(new Refusal('internal_error', { cause: error }));
}
