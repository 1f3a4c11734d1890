/** What HTTP is given of the app: capabilities, and what the configuration says of it. */
import { bearerAuthentication } from '../http/security.ts';
import type { HttpDeps } from '../http/server.ts';
import type { RunningApp } from './app.ts';

export function httpDeps({ config, kernel }: Pick<RunningApp, 'config' | 'kernel'>): HttpDeps {
  const { server, cookies } = config;
  const { log, clock, random } = kernel;
  return {
    log,
    clock,
    random,
    settings: {
      hsts: server.hsts && server.public_url.startsWith('https:'),
      corsOrigins: server.cors_origins,
      cookieOrigins: cookies.enabled ? cookies.allowed_origins : [],
      trustedProxies: server.trusted_proxies,
    },
    authenticate: bearerAuthentication(kernel),
    authenticateApiKey: kernel.apiKeys.authenticate,
  };
}
