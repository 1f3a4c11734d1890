/** Builds the HTTP server's options from the app and the configuration. */
import type { Config } from '../config/schema.ts';
import { deviceGiver } from '../http/device.ts';
import type { ListenLimits } from '../http/listen.ts';
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
