/** Why a token is refused: a stable code for programs; the message is for people. */

export type VerifierErrorCode =
  /** No compact JWT in the one form that is accepted. */
  | 'malformed'
  /** Signed by a key that the issuer does not publish, or with another algorithm than the key's. */
  | 'unknown_key'
  | 'bad_signature'
  /** Another kind of token: a refresh token, a status list. */
  | 'wrong_type'
  | 'wrong_issuer'
  | 'wrong_audience'
  | 'expired'
  | 'not_yet_valid'
  /** A claim that every access token has is missing, or of another type. */
  | 'invalid_claims'
  /** A service's own token where only users' tokens are accepted. */
  | 'service_token'
  /** The session has ended. */
  | 'revoked'
  /** No Authorization header with a bearer token. */
  | 'missing_token'
  /** The issuer's keys can't be fetched: the token may be good. */
  | 'keys_unavailable'
  /** The status list can't be fetched, and `unavailable` is `refuse`: the token may be good. */
  | 'status_unavailable';

const UNAVAILABLE: ReadonlySet<VerifierErrorCode> = new Set([
  'keys_unavailable',
  'status_unavailable',
]);

export class VerifierError extends Error {
  override readonly name = 'VerifierError';
  readonly code: VerifierErrorCode;

  constructor(code: VerifierErrorCode, options?: ErrorOptions) {
    super(`access token: ${code}`, options);
    this.code = code;
  }

  /** What to answer: 503 when the token could not be judged, else 401. */
  get status(): 401 | 503 {
    return UNAVAILABLE.has(this.code) ? 503 : 401;
  }
}
