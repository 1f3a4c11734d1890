/**
 * Routes in, request listener out. Hono matches the decoded path; everything around a handler (front door, caller, schema,
 * answer, problem, log line) is here once, for every route alike. Answers are written to Node's response directly.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { Problem } from '../problem.ts';
import type { App } from '../capabilities.ts';
import { exceptionFields } from '../lib/log.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeShared } from './exchange.ts';
import { createCors } from './cors.ts';
import { readJsonBody } from './front-door.ts';
import { securityHeaders } from './headers.ts';
import { inputFaults } from './fields.ts';
import { addressReader } from './requester.ts';
import { requestIds } from './requests.ts';
import { authenticateBearer } from './security.ts';
import type { AnyRoute, DocumentRoute, PrincipalCall, Route } from './route.ts';

type Env = { Bindings: HttpBindings };

export interface ServerOptions {
  /** Answers 500 to a Problem that the route does not declare, instead of logging it: the document must not lie. */
  readonly strictProblems?: boolean;
  /** Told of each finished request, for metrics. */
  readonly onRequest?: (route: string, method: string, status: number, durationMs: number) => void;
}

export interface HttpServer {
  /** The listener of a TCP or a Unix socket; over the latter a forwarded address counts. */
  listener(kind: 'tcp' | 'unix'): RequestListener;
}

/** Makes the server of these routes. */
export function createServer(app: App, routes: readonly AnyRoute[], options: ServerOptions = {}): HttpServer {
  const { config } = app;
  const cors = createCors(config.server.cors_origins, config.cookies.enabled ? config.cookies.allowed_origins : []);
  const shared = {
    common: Object.entries(securityHeaders({ hsts: config.server.hsts && config.server.public_url.startsWith('https:') })).flat(),
    cors,
    clock: app.clock,
    log: app.log,
    requestId: requestIds(app.random),
    addressOf: addressReader(config.server.trusted_proxies),
    onRequest: options.onRequest,
  };

  const build = (unixListener: boolean): RequestListener => {
    const ofListener: ExchangeShared = { ...shared, unixListener };
    const hono = new Hono<Env>({ strict: true });
    for (const route of routes) {
      const serve = route.kind === 'document' ? serveDocument(route) : serveOperation(app, route, options);
      hono.on(route.method.toUpperCase(), honoPath(route.path), (c) => {
        const exchange = new Exchange(ofListener, c.env.incoming, c.env.outgoing, route.path);
        const params: Params = c.req.param();
        for (const name in params) {
          if (PARAMETER.test(params[name] ?? '')) continue;
          exchange.refuse(new Problem('not_found'));
          return RESPONSE_ALREADY_SENT;
        }
        return serve(exchange, params);
      });
    }
    const patterns = methodsByPattern(routes);
    hono.notFound((c) => {
      const exchange = new Exchange(ofListener, c.env.incoming, c.env.outgoing, '');
      answerUnmatched(exchange, allowedMethods(patterns, c.req.path));
      return RESPONSE_ALREADY_SENT;
    });
    const listener = getRequestListener(hono.fetch, {
      overrideGlobalObjects: false,
      // A request that never reached a route: an unreadable target or Host.
      errorHandler: () => undefined,
    });
    return (incoming, outgoing) => {
      if (isUnreadable(incoming)) {
        new Exchange(ofListener, incoming, outgoing, '').refuse(new Problem('malformed_request', { detail: 'The request line or its headers could not be read.' }));
        return;
      }
      void listener(incoming, outgoing).catch((error: unknown) => lastResort(app, incoming, outgoing, error));
    };
  };
  return { listener: (kind) => build(kind === 'unix') };
}

/** What stands in a path is an id of ours: anything else, decoded, names nothing. */
const PARAMETER = /^[A-Za-z0-9._~-]{1,128}$/;

const MAX_HEADER_LINES = 100;
const TARGET = /^\/[!#$%&'()*+,\-./:;=?@A-Z[\]_a-z~0-9]*$/;

/** What no route should have to look at: targets that are no path, hosts that are none, headers without end, TE beside CL. */
function isUnreadable(request: IncomingMessage): boolean {
  const { headers } = request;
  if (request.rawHeaders.length > 2 * MAX_HEADER_LINES) return true;
  if (!TARGET.test(request.url ?? '')) return request.method !== 'OPTIONS' || request.url !== '*';
  if (headers['transfer-encoding'] !== undefined && (headers['content-length'] !== undefined || headers['transfer-encoding'] !== 'chunked')) return true;
  return headers.host === undefined || !/^[A-Za-z0-9._~:[\]-]{1,255}$/.test(headers.host);
}

function honoPath(path: string): string {
  // `{kid}.pem` and the like: Hono takes a pattern for the parameter when text follows it.
  return path.replace(/\{(\w+)\}([^/]*)/g, (_, name: string, rest: string) => (rest === '' ? `:${name}` : `:${name}{[^/]+${rest.replace('.', '\\.')}}`));
}

interface Pattern {
  readonly expression: RegExp;
  readonly methods: string[];
}

function methodsByPattern(routes: readonly AnyRoute[]): Pattern[] {
  const byPath = new Map<string, string[]>();
  for (const { path, method } of routes) byPath.set(path, [...(byPath.get(path) ?? []), ...(method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()])]);
  return [...byPath].map(([path, methods]) => ({
    expression: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
    methods,
  }));
}

function allowedMethods(patterns: readonly Pattern[], path: string): readonly string[] {
  return patterns.filter(({ expression }) => expression.test(path)).flatMap(({ methods }) => methods);
}

function answerUnmatched(exchange: Exchange, methods: readonly string[]): void {
  const { method } = exchange.incoming;
  if (method === 'OPTIONS' && methods.length > 0) {
    exchange.preflight([...methods, 'OPTIONS']);
    return;
  }
  if (methods.length > 0 || method === 'TRACE' || method === 'TRACK') exchange.refuse(new Problem('method_not_allowed'), ['allow', [...methods, 'OPTIONS'].join(', ')]);
  else exchange.refuse(new Problem('not_found'));
}

type Params = Readonly<Record<string, string>>;
type Serve = (exchange: Exchange, params: Params) => Response | Promise<Response>;

function serveDocument(route: DocumentRoute): Serve {
  const fresh = `public, max-age=${route.maxAgeSeconds}`;
  return (exchange, params) => {
    const document = route.current(params);
    if (document === undefined) exchange.refuse(new Problem('not_found'));
    else if (matchesEtag(exchange.incoming.headers['if-none-match'], document.etag)) exchange.answer({ status: 304, headers: ['etag', document.etag, 'cache-control', fresh] });
    else {
      exchange.answer({
        status: 200,
        headers: ['content-type', route.contentType, 'etag', document.etag, 'cache-control', fresh],
        body: document.bytes,
      });
    }
    return RESPONSE_ALREADY_SENT;
  };
}

/** Weak comparison, as If-None-Match asks for (RFC 9110 §13.1.2). */
function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || header.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === etag);
}

function serveOperation(app: App, route: Route, options: ServerOptions): Serve {
  const { security } = route;
  return async (exchange, params) => {
    try {
      const principal = security === 'public' ? undefined : await authenticateBearer(app, security, exchange.incoming.headers.authorization, exchange.incoming.rawHeaders);
      const body = await parseBody(route, exchange.incoming);
      const call = exchange.call(body, params, principal) as PrincipalCall<unknown>;
      const result = await route.handle(call);
      if (route.reply === undefined) exchange.answer({ status: route.status, headers: exchange.extraHeaders(NO_STORE) });
      else exchange.answer({ status: route.status, headers: exchange.extraHeaders(JSON_HEADERS), body: JSON.stringify(route.reply.parse(result)) });
    } catch (error) {
      refuse(app, route, exchange, error, options);
    }
    return RESPONSE_ALREADY_SENT;
  };
}

const NO_STORE: readonly string[] = ['cache-control', 'no-store'];
const JSON_HEADERS: readonly string[] = ['content-type', 'application/json', 'cache-control', 'no-store'];

/** @throws {Problem} of the front door, and invalid_request */
async function parseBody(route: Route, request: IncomingMessage): Promise<unknown> {
  const received = await readJsonBody(request);
  if (route.body === undefined) {
    if (received === undefined) return undefined;
    if (typeof received === 'object' && received !== null && !Array.isArray(received)) {
      const names = Object.keys(received);
      if (names.length === 0) return undefined;
    }
    throw new Problem('invalid_request', { detail: 'This takes no body, or {}.' });
  }
  if (received === undefined && route.bodyOptional !== true) throw new Problem(request.headers['content-type'] === undefined ? 'unsupported_media_type' : 'malformed_request', { detail: 'Send a JSON body with Content-Type: application/json.' });
  const parsed = route.body.safeParse(received ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw new Problem('invalid_request', { errors: inputFaults(parsed.error) });
}

/** Refusals that any route can make, by what stands before its handler. */
const FRONT_DOOR = new Set(['malformed_request', 'unsupported_media_type', 'content_too_large', 'invalid_request', 'internal_error']);

function refuse(app: App, route: Route, exchange: Exchange, error: unknown, options: ServerOptions): void {
  if (error instanceof Problem) {
    const declared = FRONT_DOOR.has(error.code) || route.problems.includes(error.code) || (route.security !== 'public' && BEARER_PROBLEMS.has(error.code));
    if (declared) {
      exchange.refuse(error);
      return;
    }
    app.log.write('error', 'problem.undeclared', 'a route refused with a code that it does not declare', { request_id: exchange.requestId, 'http.route': route.path, 'error.type': error.code });
    exchange.refuse(options.strictProblems === true ? new Problem('internal_error', { cause: error }) : error);
    return;
  }
  app.log.write('error', 'request.failed', 'an unexpected error ended a request', { request_id: exchange.requestId, 'http.route': route.path, ...exceptionFields(error) });
  exchange.refuse(new Problem('internal_error', { cause: error }));
}

const BEARER_PROBLEMS: ReadonlySet<string> = new Set(['invalid_token', 'session_revoked', 'insufficient_user_authentication']);

/** ASVS 16.5.4: whatever happens, the caller gets an answer that tells nothing, and the log gets the rest. */
function lastResort(app: App, incoming: IncomingMessage, outgoing: ServerResponse, error: unknown): void {
  app.log.write('error', 'request.failed', 'an unexpected error ended a request', exceptionFields(error));
  if (outgoing.headersSent) outgoing.destroy();
  else {
    outgoing.writeHead(500, { 'cache-control': 'no-store', connection: 'close' });
    outgoing.end();
  }
  incoming.resume();
}
