/** The claims of access tokens, and the check that all required ones are present (R3). */
import type { Acr } from '../factor/presented.ts';

/** Claims of every access token: a user's, or a service's own. */
export interface TokenClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  readonly exp: number;
  readonly nbf: number;
  readonly iat: number;
  readonly jti: string;
  readonly client_id: string;
  readonly [claim: string]: unknown;
}

/** Claims of a user's token. */
export interface AccessClaims extends TokenClaims {
  readonly sid: string;
  readonly auth_time: number;
  readonly amr: readonly string[];
  readonly acr: Acr;
  readonly preferred_username?: string;
  readonly email?: string;
}

/**
 * The maximum lifetime that the configuration allows (R3), so that shortening the lifetime doesn't
 * refuse live tokens.
 */
const MAX_TTL_SECONDS = 900;

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0;
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Whether the payload of a signed token has the claims of every access token. */
export function isTokenClaims(
  payload: Record<string, unknown>,
  issuer: string,
  isAudience: (name: string) => boolean,
): payload is TokenClaims & Record<string, unknown> {
  const { iss, sub, aud, exp, nbf, iat, jti, client_id } = payload;
  return (
    iss === issuer &&
    isText(aud) &&
    isAudience(aud) &&
    isText(client_id) &&
    isText(sub) &&
    isText(jti) &&
    isSeconds(exp) &&
    isSeconds(nbf) &&
    isSeconds(iat) &&
    exp > iat &&
    exp - iat <= MAX_TTL_SECONDS &&
    (isUserClaims(payload) || isServiceClaims(payload))
  );
}

/** Whether a token has a user and a session. */
export function isUserClaims(payload: Record<string, unknown>): payload is AccessClaims {
  const { sid, auth_time, amr, acr } = payload;
  return (
    isText(sid) &&
    isSeconds(auth_time) &&
    Array.isArray(amr) &&
    amr.every(isText) &&
    (acr === 'aal0' || acr === 'aal1' || acr === 'aal2')
  );
}

/** A service's own token has no other subject, and no session. */
function isServiceClaims({ sub, client_id, sid, act }: Record<string, unknown>): boolean {
  return sub === client_id && sid === undefined && act === undefined;
}
