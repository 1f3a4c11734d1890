/**
 * Builds one Hono application of the routes. Our own listeners serve it through
 * `@hono/node-server`, another Hono application can mount it, and `fetch` calls it directly.
 */
import type { RequestListener } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import type { Context } from 'hono';
import { routePath } from 'hono/route';
import { RegExpRouter } from 'hono/router/reg-exp-router';
import type { Limits } from '../core/limit/limits.ts';
import { Refusal } from '../refusal.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/id.ts';
import { exceptionFields } from '../lib/log.ts';
import type { Log } from '../lib/log.ts';
import { PROBLEM_HEADERS } from './answer.ts';
import type { HeaderRecord } from './answer.ts';
import { NodeArrival, WebArrival } from './arrival.ts';
import type { Arrival, ClientAddress, NodeAddress } from './arrival.ts';
import { createCors } from './cors.ts';
import { corsNotice } from './cors-notice.ts';
import type { GiveDevice } from './device.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeShared } from './exchange.ts';
import { faultFields } from './faults.ts';
import { readablePath, simplifyUrl } from './front-door.ts';
import { headerShapes } from './header-shapes.ts';
import { securityHeaders } from './headers.ts';
import { OAUTH_ERROR_HEADERS } from './oauth-error.ts';
import { serveRoute } from './operation.ts';
import type { AuthenticateApiKey } from './api-key-credentials.ts';
import type { Authenticate, Serve } from './operation.ts';
import { fixedAliases, honoPath, methodFinder, paramReader } from './paths.ts';
import { addressReader, canonicalAddress } from './requester.ts';
import type { AddressOf } from './requester.ts';
import { requestIds } from './requests.ts';
import type { AnyRoute } from './route.ts';
import { untrustedProxyNotice } from './untrusted-proxy.ts';
import { unparsedAnswers } from './unparsed.ts';
import type { UnparsedFault } from './unparsed.ts';

/** The HTTP part of the configuration. */
export interface HttpSettings {
  readonly hsts: boolean;
  /** The origin of server.public_url. */
  readonly publicOrigin: string;
  readonly corsOrigins: readonly string[];
  /** Origins that may send the refresh cookie. */
  readonly cookieOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly limitFields: boolean;
}

export interface HttpDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: HttpSettings;
  readonly authenticate: Authenticate;
  readonly authenticateApiKey: AuthenticateApiKey;
  readonly limits: Pick<Limits, 'take'>;
  readonly giveDevice: GiveDevice;
}

export interface ServerOptions {
  /**
   * Answers 500 to a Refusal that the route does not declare, instead of only logging it, so that
   * tests find it.
   */
  readonly strictProblems?: boolean;
  /** Called for each finished request, for metrics. */
  readonly onRequest?: (route: string, method: string, status: number, durationMs: number) => void;
  /** The client's address when mounted; without this function the address is unknown. */
  readonly clientAddress?: ClientAddress;
}

export interface HttpServer {
  /** To be mounted: `outer.route('/auth', server.app)`. */
  readonly app: Hono;
  /** Answers one web Request, as `app` does. */
  readonly fetch: Hono['fetch'];
  /**
   * The request listener of a TCP or a Unix socket; over the latter a forwarded address is trusted.
   */
  listener(kind: 'tcp' | 'unix'): RequestListener;
  /** The complete HTTP/1.1 answer to input that never became a request; writes its log line too. */
  unparsed(fault: UnparsedFault, address: string | null): string;
  /** Logs that a connection could not be accepted. */
  acceptFailed(error: Error): void;
}

function ownOrigins({ publicOrigin, corsOrigins, cookieOrigins }: HttpSettings): readonly string[] {
  return [publicOrigin, ...corsOrigins, ...cookieOrigins];
}

// Created once: collecting the stack of an Error is most of the cost of such an answer.
const NOT_FOUND = new Refusal('not_found');
const METHOD_NOT_ALLOWED = new Refusal('method_not_allowed');

/** Makes the server of these routes. */
export function createServer(
  deps: HttpDeps,
  routes: readonly AnyRoute[],
  options: ServerOptions = {},
): HttpServer {
  const { log, settings } = deps;
  const common = { ...securityHeaders({ hsts: settings.hsts }), 'x-request-id': '' };
  const complete = (headers: HeaderRecord): HeaderRecord => ({ ...common, ...headers });
  const shared: ExchangeShared = {
    complete,
    problemHeaders: complete(PROBLEM_HEADERS),
    oauthHeaders: complete(OAUTH_ERROR_HEADERS),
    shapes: headerShapes(),
    cors: createCors(settings.corsOrigins, settings.cookieOrigins),
    noteOrigin: corsNotice(ownOrigins(settings), log),
    clock: deps.clock,
    log,
    requestId: requestIds(deps.random),
    onRequest: options.onRequest,
  };
  const operation = {
    log,
    faultFields: faultFields(deps.clock),
    complete,
    authenticate: deps.authenticate,
    authenticateApiKey: deps.authenticateApiKey,
    limits: deps.limits,
    giveDevice: deps.giveDevice,
    limitFields: settings.limitFields,
    strictProblems: options.strictProblems === true,
  };
  const handlers = routes.map((route) => ({
    method: route.method.toUpperCase(),
    path: honoPath(route.path),
    handle: handler(route, serveRoute(route, operation)),
  }));
  const methodsOf = methodFinder(routes);

  const addressOf = mountedAddress(options.clientAddress);
  const arrivalOf = (context: Context): Arrival =>
    context.env instanceof NodeArrival ? context.env : new WebArrival(context, addressOf);

  function handler(route: AnyRoute, serve: Serve) {
    const readParams = paramReader(route.path);
    return (context: Context): Response | Promise<Response> => {
      const params = readParams((name) => context.req.param(name));
      if (params === null) return unmatched(context, '');
      return serve(new Exchange(shared, arrivalOf(context), route.path), params);
    };
  }

  /** @param path within this application */
  function unmatched(context: Context, path: string): Response {
    const exchange = new Exchange(shared, arrivalOf(context), '');
    const methods = methodsOf(path);
    const { method } = exchange.arrival;
    // When mounted, a path with and without a trailing slash are the same here, but not to Hono.
    if (methods.includes(method)) return exchange.refuse(NOT_FOUND);
    const allowed = [...methods, 'OPTIONS'];
    if (method === 'OPTIONS' && methods.length > 0) return exchange.preflight(allowed);
    if (methods.length > 0 || method === 'TRACE' || method === 'TRACK')
      return exchange.refuse(METHOD_NOT_ALLOWED, { allow: allowed.join(', ') });
    return exchange.refuse(NOT_FOUND);
  }

  // With our own listeners, each route is a single handler, which Hono calls without composing.
  const aliases = fixedAliases(routes);
  const served = new Hono<{ Bindings: NodeArrival }>({
    router: new RegExpRouter(),
    getPath: (_, from) => {
      const path = from?.env?.path ?? '';
      return aliases.get(path) ?? path;
    },
  });
  for (const { method, path, handle } of handlers)
    served.on(method, aliases.get(path) ?? path, handle);
  served.notFound((context) =>
    context.env.path === null ? refuseHead(context.env) : unmatched(context, context.env.path),
  );

  const refuseHead = (arrival: Arrival): Response =>
    new Exchange(shared, arrival, '').refuse(
      new Refusal('malformed_request', {
        detail: 'The request line or its headers could not be read.',
      }),
      { connection: 'close' },
    );

  const notice = untrustedProxyNotice(settings.trustedProxies, deps);
  const listener = (kind: 'tcp' | 'unix'): RequestListener => {
    const clientOf = nodeAddress(addressReader(settings.trustedProxies), kind === 'unix', notice);
    // Set while the adapter calls back synchronously, before any other request can run.
    let arriving: NodeArrival;
    const serve = getRequestListener((request) => served.fetch(request, arriving), {
      autoCleanupIncoming: false,
      errorHandler: () => refuseHead(arriving),
    });
    return (incoming, outgoing) => {
      arriving = new NodeArrival(incoming, outgoing, clientOf, readablePath(incoming));
      simplifyUrl(incoming);
      void serve(incoming, outgoing);
    };
  };

  // The outer application would otherwise answer unknown paths in its own format: hence a final
  // handler.
  const app = new Hono();
  for (const { method, path, handle } of handlers) app.on(method, path, handle);
  app.all('*', (context) => unmatched(context, pathWithin(context)));

  return {
    app,
    fetch: app.fetch,
    listener,
    unparsed: unparsedAnswers({ common, log, requestId: shared.requestId }),
    acceptFailed: (error) =>
      log.write(
        'error',
        'server.accept_failed',
        'a connection could not be accepted; the listener continues',
        exceptionFields(error),
      ),
  };
}

function nodeAddress(
  addressOf: AddressOf,
  unixListener: boolean,
  notice: (peer: string | undefined) => void,
): NodeAddress {
  return (incoming) => {
    const forwarded = incoming.headers['x-forwarded-for'];
    if (forwarded !== undefined && !unixListener) notice(incoming.socket.remoteAddress);
    return addressOf(
      incoming.socket.remoteAddress,
      unixListener,
      Array.isArray(forwarded) ? forwarded.join(',') : forwarded,
    );
  };
}

function mountedAddress(told: ClientAddress | undefined): ClientAddress | undefined {
  if (told === undefined) return undefined;
  return (request, environment) => {
    const address = told(request, environment);
    return address === null ? null : canonicalAddress(address);
  };
}

/** The path relative to the mount point: of `/auth/*`, without the first segment. */
function pathWithin(context: Context): string {
  const mountedUnder = routePath(context).split('/').length - 2;
  return `/${context.req.path
    .split('/')
    .slice(1 + mountedUnder)
    .join('/')}`;
}
