/**
 * Refusals. A Refusal carries the public truth (RFC 9457): a stable `code` that programs switch on
 * and a `detail` for people. What really happened goes into `cause`, which is logged with the
 * request id and never sent.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9457
 */

/**
 * Every code this service can answer with: status, title, and the detail used when the operation
 * gives none.
 */
export const REFUSALS = {
  malformed_request: {
    status: 400,
    title: 'Malformed request',
    detail: 'The request could not be read.',
  },
  invalid_credentials: {
    status: 401,
    title: 'Invalid credentials',
    detail: 'The name or the password is wrong.',
  },
  invalid_token: { status: 401, title: 'Invalid token', detail: 'The token is not valid here.' },
  refresh_token_expired: {
    status: 401,
    title: 'Refresh token expired',
    detail: 'The session has reached the end of its life. Sign in again.',
  },
  refresh_token_reused: {
    status: 401,
    title: 'Refresh token reused',
    detail: 'The refresh token was used before, so the session was ended. Sign in again.',
  },
  session_revoked: {
    status: 401,
    title: 'Session revoked',
    detail: 'The session has ended. Sign in again.',
  },
  insufficient_user_authentication: {
    status: 401,
    title: 'Fresh authentication needed',
    detail: 'Authenticate again with POST /reauthenticate, then repeat the request.',
  },
  invalid_code: {
    status: 422,
    title: 'Invalid code',
    detail: 'The code is wrong, spent, too old, or was tried too often. Ask for a new one.',
  },
  token_spent_or_expired: {
    status: 410,
    title: 'Link spent or expired',
    detail: 'The link was used, is too old, or was replaced by a newer one. Ask for a new one.',
  },
  account_disabled: { status: 403, title: 'Account disabled', detail: 'The account is disabled.' },
  password_change_required: {
    status: 403,
    title: 'Password change required',
    detail:
      'The password has to be changed: set a new one with POST /password/reset and reset_token, then sign in with it.',
  },
  mfa_enrolment_required: {
    status: 403,
    title: 'Second factor required',
    detail:
      'A second factor is asked of everybody here, and the time to enrol one has passed. Those who run the service can grant another.',
  },
  registration_closed: {
    status: 403,
    title: 'Registration closed',
    detail: 'New accounts are not open for registration.',
  },
  origin_not_allowed: {
    status: 403,
    title: 'Origin not allowed',
    detail: 'The refresh cookie is accepted from the configured origins alone.',
  },
  not_found: { status: 404, title: 'Not found', detail: 'There is nothing here.' },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    detail: 'The resource does not have this method; Allow names those it has.',
  },
  request_timeout: {
    status: 408,
    title: 'Request timeout',
    detail: 'The request did not come to its end in time.',
  },
  username_taken: {
    status: 409,
    title: 'Username taken',
    detail: 'The username is taken. Choose another.',
  },
  no_second_factor: {
    status: 409,
    title: 'No second factor',
    detail:
      'Recovery codes stand in for a second factor, and the account has none. Enrol one first.',
  },
  last_sign_in_method: {
    status: 409,
    title: 'Last way to sign in',
    detail: 'Without it nobody could sign in to the account. Add another way first.',
  },
  last_second_factor: {
    status: 409,
    title: 'Last second factor',
    detail: 'A second factor is asked of everybody here. Add another one first.',
  },
  passkey_registered: {
    status: 409,
    title: 'Passkey known already',
    detail: 'This passkey is registered here already. Use another authenticator.',
  },
  too_many_passkeys: {
    status: 409,
    title: 'Too many passkeys',
    detail: 'The account has as many passkeys as it may have. Remove one first.',
  },
  conflict: {
    status: 409,
    title: 'Conflict',
    detail: 'The account changed meanwhile. Read it again and repeat the request.',
  },
  content_too_large: {
    status: 413,
    title: 'Content too large',
    detail: 'The body may have at most 65536 bytes.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    detail: 'Send application/json in UTF-8, without content encoding.',
  },
  invalid_request: {
    status: 422,
    title: 'Invalid request',
    detail: 'The request does not fit; errors names each fault.',
  },
  too_many_attempts: {
    status: 429,
    title: 'Too many attempts',
    detail: 'Too many attempts. Retry-After says when to try again.',
  },
  header_too_large: {
    status: 431,
    title: 'Header too large',
    detail: 'The request line and its headers may have at most 16384 bytes.',
  },
  internal_error: {
    status: 500,
    title: 'Internal error',
    detail: 'Something went wrong here. The request id finds it in the log.',
  },
  overloaded: {
    status: 503,
    title: 'Overloaded',
    detail: 'Too busy to take this now. Retry-After says when to try again.',
  },
  not_ready: { status: 503, title: 'Not ready', detail: 'The service is not ready.' },
} as const satisfies Record<string, { status: number; title: string; detail: string }>;

export type RefusalCode = keyof typeof REFUSALS;

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
  /** For `insufficient_user_authentication`: the age in seconds that would do (RFC 9470 §3). */
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
      `${code}: ${options.detail ?? REFUSALS[code].detail}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'Refusal';
    this.code = code;
    this.options = options;
  }

  get status(): number {
    return REFUSALS[this.code].status;
  }
}

/** The refusal of a schema or a rule: 422 with one entry for each fault. */
export function invalidRequest(...errors: InputFault[]): Refusal {
  return new Refusal('invalid_request', { errors });
}
