/** The claims of access tokens. */

/** Who acts for the user: the last service first (RFC 8693). */
export interface Actor {
  readonly sub: string;
  readonly name?: string;
  readonly act?: Actor;
}

/** What every access token has. */
export interface TokenClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  readonly client_id: string;
  readonly exp: number;
  readonly iat: number;
  readonly nbf: number;
  readonly jti: string;
  readonly scope?: string;
  readonly roles?: readonly string[];
  readonly groups?: readonly string[];
  readonly entitlements?: readonly string[];
  readonly [claim: string]: unknown;
}

/** A user's token. */
export interface UserClaims extends TokenClaims {
  readonly sid: string;
  readonly auth_time: number;
  readonly amr: readonly string[];
  /** `aal0`: of an anonymous account, which nobody signed in to. */
  readonly acr: 'aal0' | 'aal1' | 'aal2';
  readonly act?: Actor;
  readonly preferred_username?: string;
  readonly name?: string;
  readonly email?: string;
  readonly email_verified?: boolean;
}

/** Whether a token speaks of a user; a service's own token has no session. */
export function isUserClaims(claims: TokenClaims): claims is UserClaims {
  const { sid, auth_time, amr, acr } = claims;
  return (
    typeof sid === 'string' &&
    typeof auth_time === 'number' &&
    Array.isArray(amr) &&
    (acr === 'aal0' || acr === 'aal1' || acr === 'aal2')
  );
}

/** Whether a payload has what every access token has; issuer, audience and times are checked before. */
export function isTokenClaims(payload: Readonly<Record<string, unknown>>): payload is TokenClaims {
  const { sub, aud, client_id, jti, exp, iat, nbf, sid } = payload;
  return (
    [sub, aud, client_id, jti].every((text) => typeof text === 'string' && text !== '') &&
    [exp, iat, nbf].every((time) => Number.isSafeInteger(time)) &&
    (sid !== undefined || sub === client_id)
  );
}

/** Whether a token has a scope. */
export function hasScope({ scope }: TokenClaims, wanted: string): boolean {
  return typeof scope === 'string' && scope.split(' ').includes(wanted);
}
