/**
 * Authenticates the caller. The token's signature shows for whom it was issued; the session's row,
 * read in the same request, shows whether the session is still live. Authorization is read strictly
 * (J12): exactly one header, scheme `Bearer` in any case, one space, one token; anything else is a
 * 401.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1
 */
import { Refusal } from '../refusal.ts';
import type { Kernel } from '../core/kernel.ts';
import { TokenRefused } from '../core/token/access-token.ts';
import type { AccessClaims } from '../core/token/access-claims.ts';
import type { Principal } from '../core/session/session.ts';
import type { BearerSecurity } from './route.ts';

const SCHEME = 'bearer ';

/**
 * The token of an Authorization header, or null when there is no such header.
 *
 * @param lines how often the header occurs: Node silently keeps the first of two lines
 * @throws {Refusal} invalid_token
 */
export function bearerToken(
  authorization: string | null | undefined,
  lines: number,
): string | null {
  if (authorization === undefined || authorization === null) return null;
  // The form check of the token refuses spaces and commas, so the rest is not checked here.
  if (lines !== 1 || authorization.slice(0, SCHEME.length).toLowerCase() !== SCHEME)
    throw new Refusal('invalid_token');
  return authorization.slice(SCHEME.length);
}

/**
 * Returns the function that finds the principal of an access token.
 *
 * It throws {Refusal} invalid_token, session_revoked, insufficient_user_authentication.
 */
export type Authenticate = (token: string, security: BearerSecurity) => Promise<Principal>;

export function bearerAuthentication(
  kernel: Pick<Kernel, 'accessTokens' | 'sessions' | 'reauthentication'>,
): Authenticate {
  const { accessTokens, sessions, reauthentication } = kernel;
  return async (token, security) => {
    const claims = claimsOf(accessTokens, token);
    const principal = await sessions.find(claims.sid, claims.sub);
    if (principal === null) throw new Refusal('session_revoked');
    if (security.fresh) await reauthentication.demandFresh(principal, claims.auth_time);
    return principal;
  };
}

/** @throws {Refusal} invalid_token, session_revoked */
export function claimsOf(
  accessTokens: Pick<Kernel['accessTokens'], 'verify'>,
  token: string,
): AccessClaims {
  try {
    return accessTokens.verify(token);
  } catch (cause) {
    if (!(cause instanceof TokenRefused)) throw cause;
    const isRevoked = cause.fault === 'session_revoked';
    throw new Refusal(isRevoked ? 'session_revoked' : 'invalid_token', { cause });
  }
}
