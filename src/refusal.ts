/**
 * Refusals. A Refusal has the public part of an error (RFC 9457): a stable `code` that programs
 * branch on and a `detail` for people. The actual reason is in `cause`, which is logged with the
 * request id and never sent.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9457
 */

/** Every code this service can answer with, and the detail used when the operation gives none. */
export const REFUSALS = {
  malformed_request: 'The request could not be read.',
  invalid_credentials: 'The name or the password is wrong.',
  invalid_token: 'The token is not valid here.',
  refresh_token_expired: 'The session has expired. Sign in again.',
  refresh_token_reused:
    'The refresh token was used before, so the session was ended. Sign in again.',
  refresh_cookie_missing:
    'The request has no refresh token: no cookie, and none in the body or in Authorization. Sign in again.',
  session_revoked: 'The session has ended. Sign in again.',
  invalid_api_key:
    'The API key is wrong, expired or revoked. Send it as HTTP Basic (id and secret), or as Postern-Key: id:secret.',
  invalid_target: 'This resource does not exist, or the caller may not get tokens for it.',
  invalid_scope: 'The resource does not have this scope, or the token may not get it.',
  unauthorized_client: 'The API key may not use this grant.',
  unsupported_grant_type: 'The grant types are client_credentials and token exchange (RFC 8693).',
  unsupported_token_type: 'A token of this kind can not be revoked; it expires by itself.',
  insufficient_scope: 'The API key lacks the scope that this route needs.',
  insufficient_user_authentication:
    'Authenticate again with POST /reauthenticate, then repeat the request.',
  invalid_code:
    'The code is wrong, already used or expired, or had too many wrong tries. Request a new one.',
  token_spent_or_expired:
    'The link was already used, has expired, or was replaced by a newer one. Request a new one.',
  other_device:
    'The link was opened on another device than the one that asked for it. Enter the code of the email there.',
  account_disabled: 'The account is disabled.',
  password_change_required:
    'The password must be changed: set a new one with POST /password/reset and reset_token, or, if email_sent is true, with the link that was sent to the verified address. Then sign in with it.',
  mfa_enrolment_required:
    'A second factor is required, and the time to enrol one has passed. The operators of the service can extend it.',
  registration_closed: 'Registration is closed.',
  origin_not_allowed:
    'This origin may not use the refresh cookie: cookies.allowed_origins does not list it.',
  not_found: 'The resource was not found.',
  method_not_allowed: 'The resource does not have this method; Allow lists those that it has.',
  request_timeout: 'The request was not complete in time.',
  username_taken: 'The username is taken. Choose another.',
  account_exists:
    'The address belongs to an account. Sign in to it, then link this identity with POST /me/identities/{provider}.',
  identity_taken:
    'The identity belongs to an account already, or this account has another one of this provider.',
  provider_unavailable:
    'The outside provider does not answer. Try again later, or sign in another way.',
  phone_taken:
    'The number belongs to another account, which verified it. Remove it there first, or sign in there.',
  email_taken: 'The address belongs to another account, which verified it.',
  external_id_taken: 'Another account has this external_id.',
  no_verified_address:
    'The account has no verified address that a link could be sent to. An operator can print one on the machine: postern user reset-link.',
  no_second_factor:
    'Recovery codes replace a lost second factor, and the account has none. Enrol one first.',
  last_sign_in_method:
    'Without it nobody could sign in to the account. Add another way to sign in first.',
  last_second_factor: 'A second factor is required. Add another one first.',
  passkey_registered: 'This passkey is already registered. Use another authenticator.',
  too_many_passkeys: 'The account has the maximum number of passkeys. Remove one first.',
  conflict: 'The account was changed meanwhile. Read it again and repeat the request.',
  content_too_large: 'The body may have at most 65536 bytes.',
  unsupported_media_type: 'Send application/json in UTF-8, without content encoding.',
  invalid_request: 'The request is invalid; errors lists each fault.',
  too_many_attempts: 'Too many attempts. Retry-After says when to try again.',
  rate_limited: 'Too many requests from one client. Retry-After says when to try again.',
  header_too_large: 'The request line and its headers may have at most 16384 bytes.',
  internal_error: 'An unexpected error occurred. The log has its details under the request id.',
  overloaded: 'The service is too busy. Retry-After says when to try again.',
  storage_unavailable:
    'The database takes no writes at present, so nothing was changed. Retry-After says when to try again.',
  not_ready: 'The service is not ready.',
} as const satisfies Record<string, string>;

export type RefusalCode = keyof typeof REFUSALS;

export function isRefusalCode(text: string): text is RefusalCode {
  return Object.hasOwn(REFUSALS, text);
}

/**
 * One fault of an input: where (RFC 6901 pointer into the body), a stable code, and a sentence that
 * says what to write instead.
 */
export interface InputFault {
  pointer: string;
  code: string;
  detail: string;
}

export interface RefusalOptions {
  /** A sentence for people; never carries input. Default: the catalogue's. */
  detail?: string;
  /** Input faults, for `invalid_request`. */
  errors?: readonly InputFault[];
  /** Whole seconds after which a retry makes sense; becomes `Retry-After`. */
  retryAfterSeconds?: number;
  /** For `insufficient_user_authentication`: the maximum age in seconds (RFC 9470 §3). */
  maxAgeSeconds?: number;
  /**
   * For `insufficient_user_authentication`: the level that is needed, when it is the level (RFC
   * 9470 §3).
   */
  acrValues?: string;
  /** Further members of the problem document, public. */
  members?: Readonly<Record<string, unknown>>;
  /** What really happened; logged, never sent. */
  cause?: unknown;
}

/** A refusal with a stable code. */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly options: RefusalOptions;

  constructor(code: RefusalCode, options: RefusalOptions = {}) {
    super(
      `${code}: ${options.detail ?? REFUSALS[code]}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'Refusal';
    this.code = code;
    this.options = options;
  }
}

/** The refusal of a schema or a rule: 422 with one entry for each fault. */
export function invalidRequest(...errors: InputFault[]): Refusal {
  return new Refusal('invalid_request', { errors });
}
