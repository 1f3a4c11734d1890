/** The OpenAPI description of authentication. */
import type { RefusalCode } from '../refusal.ts';
import { REFRESH_COOKIE } from './cookies.ts';
import type { Route, Security } from './route.ts';

export const SECURITY_SCHEMES = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'An access token (RFC 9068).',
  },
  api_key_basic: {
    type: 'http',
    scheme: 'basic',
    description:
      'An API key: its id as the user name, its secret as the password, both form-urlencoded (RFC 6749 section 2.3.1).',
  },
  api_key_header: {
    type: 'apiKey',
    in: 'header',
    name: 'Postern-Key',
    description: 'An API key as it was shown: id:secret.',
  },
  refresh_cookie: {
    type: 'apiKey',
    in: 'cookie',
    name: REFRESH_COOKIE,
    description:
      'The refresh token in cookie mode (cookies.enabled): HttpOnly, SameSite=Strict, set by answers to requests with "cookie": true. Only from an Origin in cookies.allowed_origins.',
  },
};

export function isFreshSecurity(security: Security): boolean {
  return security !== 'public' && security.scheme === 'bearer' && security.fresh;
}

/** The refusals that come before a handler is called. */
export function securityProblems(security: Security): readonly RefusalCode[] {
  if (security === 'public') return [];
  if (security.scheme === 'api_key')
    return ['invalid_api_key', 'insufficient_scope', 'too_many_attempts'];
  const always: readonly RefusalCode[] = ['invalid_token', 'session_revoked'];
  return security.fresh ? [...always, 'insufficient_user_authentication'] : always;
}

/** An API key can be sent in two ways, so there are two alternative requirements. */
export function securityRequirement({
  security,
  readsCookie,
}: Pick<Route, 'security' | 'readsCookie'>): readonly object[] {
  // Without the cookie, the token is in the body.
  if (security === 'public') return readsCookie === true ? [{ refresh_cookie: [] }, {}] : [];
  if (security.scheme === 'bearer') return [{ bearer: [] }];
  return [{ api_key_basic: [] }, { api_key_header: [] }];
}
