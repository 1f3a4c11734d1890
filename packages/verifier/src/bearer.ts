/** What the middlewares have in common: the token of a request, and the answer to a bad one. */
import { VerifierError } from './error.ts';

const BEARER = /^bearer ([A-Za-z0-9_.-]+)$/i;

/** The token of an Authorization header. @throws {VerifierError} missing_token */
export function bearerToken(authorization: string | null | undefined): string {
  const [, token] = BEARER.exec(authorization ?? '') ?? [];
  if (token === undefined) throw new VerifierError('missing_token');
  return token;
}

export interface Refused {
  readonly status: 401 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly code: string };
}

/**
 * The answer to a request without a good token (RFC 6750 §3). What is no refusal is thrown on.
 *
 * @throws the error itself, when it is none of a verifier
 */
export function refusedOf(error: unknown): Refused {
  if (!(error instanceof VerifierError)) throw error;
  const { status, code } = error;
  const headers: Record<string, string> = { 'cache-control': 'no-store' };
  if (status === 503) headers['retry-after'] = '5';
  else
    headers['www-authenticate'] =
      code === 'missing_token' ? 'Bearer' : 'Bearer error="invalid_token"';
  return { status, headers, body: { code } };
}
