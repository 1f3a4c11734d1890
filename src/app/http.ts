/** Builds the HTTP server's options from the app and the configuration. */
import type { Config } from '../config/schema.ts';
import { deviceGiver } from '../http/device.ts';
import type { ListenLimits } from '../http/listen.ts';
import { withAdminOpenapi } from '../http/openapi-admin.ts';
import { withOpenapi } from '../http/openapi.ts';
import type { AnyRoute } from '../http/route.ts';
import { bearerAuthentication } from '../http/security.ts';
import type { HttpDeps } from '../http/server.ts';
import type { RunningApp } from './app.ts';

/** The limits of connections, from the configuration. */
export function listenLimits({ server }: Pick<Config, 'server'>): ListenLimits {
  return {
    headerTimeoutMs: server.header_timeout,
    requestTimeoutMs: server.request_timeout,
    keepAliveTimeoutMs: server.keep_alive_timeout,
    answerTimeoutMs: server.answer_timeout,
    maxConnections: server.max_connections,
    maxConnectionsPerNetwork: server.max_connections_per_network,
    trustedProxies: server.trusted_proxies,
  };
}

/** The routes of the listeners, and those of administration where it has listeners of its own. */
export interface ServedRoutes {
  readonly routes: readonly AnyRoute[];
  readonly adminRoutes: readonly AnyRoute[];
}

/** The routes with their documents; `apart`: /admin is answered on listeners of its own alone. */
export function servedRoutes(
  { routes, adminRoutes, config, kernel }: RunningApp,
  { version, administration }: { version: string; administration: 'apart' | 'beside' },
): ServedRoutes {
  const info = {
    title: config.server.name,
    version,
    issuer: config.server.public_url,
    factors: kernel.factors.active.map(({ name }) => name),
  };
  const own = withOpenapi(routes, info);
  const admin = withAdminOpenapi(adminRoutes, info);
  return administration === 'apart'
    ? { routes: own, adminRoutes: admin }
    : { routes: [...own, ...admin], adminRoutes: [] };
}

export function httpDeps({ config, kernel }: Pick<RunningApp, 'config' | 'kernel'>): HttpDeps {
  const { server, cookies, limits } = config;
  const { log, clock, random } = kernel;
  return {
    log,
    clock,
    random,
    settings: {
      hsts: server.hsts && server.public_url.startsWith('https:'),
      publicOrigin: new URL(server.public_url).origin,
      corsOrigins: server.cors_origins,
      cookieOrigins: cookies.enabled ? cookies.allowed_origins : [],
      trustedProxies: server.trusted_proxies,
      limitFields: limits.fields,
    },
    limits: kernel.limits,
    giveDevice: deviceGiver(kernel),
    authenticate: bearerAuthentication(kernel),
    authenticateApiKey: kernel.apiKeys.authenticate,
  };
}
