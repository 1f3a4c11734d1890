/**
 * Who calls. The token proves who it was made for; the session's row, read in the same request,
 * says whether that still holds. Documented reading of Authorization (J12): exactly one header,
 * scheme `Bearer` in any case, one space, one token; all else is a 401.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1
 */
import { Refusal } from '../refusal.ts';
import type { App } from '../app/capabilities.ts';
import { TokenRefused } from '../core/token/access-token.ts';
import { findPrincipal } from '../core/session/session.ts';
import type { Principal } from '../core/session/session.ts';
import { demandFresh } from '../core/factor/reauthentication.ts';
import type { BearerSecurity } from './route.ts';
import { MissingToken } from './answer.ts';
import { countHeader } from './requests.ts';

const SCHEME = 'bearer ';

/**
 * The token of an Authorization header, or null when there is no such header.
 *
 * @param lines how many lines of it came: Node keeps the first of two without a word
 * @throws {Refusal} invalid_token
 */
export function bearerToken(
  authorization: string | null | undefined,
  lines: number,
): string | null {
  if (authorization === undefined || authorization === null) return null;
  // What follows the scheme is looked at by the token's own form check, which takes no space and no
  // comma.
  if (lines !== 1 || authorization.slice(0, SCHEME.length).toLowerCase() !== SCHEME)
    throw new Refusal('invalid_token');
  return authorization.slice(SCHEME.length);
}

/** @throws {Refusal} invalid_token, session_revoked, insufficient_user_authentication */
export async function authenticateBearer(
  app: App,
  security: BearerSecurity,
  authorization: string | undefined,
  rawHeaders: readonly string[],
): Promise<Principal> {
  const token = bearerToken(authorization, countHeader(rawHeaders, 'authorization'));
  if (token === null) throw new MissingToken();
  let claims;
  try {
    claims = app.accessTokens.verify(token);
  } catch (error) {
    if (error instanceof TokenRefused)
      throw new Refusal(error.fault === 'session_revoked' ? 'session_revoked' : 'invalid_token', {
        cause: error,
      });
    throw error;
  }
  const principal = await findPrincipal(app, claims.sid, claims.sub);
  if (principal === null) throw new Refusal('session_revoked');
  if (security.fresh) await demandFresh(app, principal, claims);
  return principal;
}
