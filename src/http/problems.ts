/**
 * How a refusal appears over HTTP: its status and title, and the problem document (RFC 9457).
 * Domain code knows only the codes.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9457
 */
import { REFUSALS } from '../refusal.ts';
import type { RefusalCode } from '../refusal.ts';

export interface Problem {
  readonly status: number;
  readonly title: string;
}

export const PROBLEMS: Readonly<Record<RefusalCode, Problem>> = {
  malformed_request: { status: 400, title: 'Malformed request' },
  invalid_credentials: { status: 401, title: 'Invalid credentials' },
  invalid_token: { status: 401, title: 'Invalid token' },
  refresh_token_expired: { status: 401, title: 'Refresh token expired' },
  refresh_token_reused: { status: 401, title: 'Refresh token reused' },
  refresh_cookie_missing: { status: 401, title: 'Refresh cookie missing' },
  session_revoked: { status: 401, title: 'Session revoked' },
  invalid_api_key: { status: 401, title: 'Invalid API key' },
  invalid_target: { status: 400, title: 'Invalid target' },
  invalid_scope: { status: 400, title: 'Invalid scope' },
  unauthorized_client: { status: 400, title: 'Unauthorized client' },
  unsupported_grant_type: { status: 400, title: 'Unsupported grant type' },
  unsupported_token_type: { status: 400, title: 'Unsupported token type' },
  insufficient_scope: { status: 403, title: 'Insufficient scope' },
  insufficient_user_authentication: { status: 401, title: 'Fresh authentication needed' },
  invalid_code: { status: 422, title: 'Invalid code' },
  token_spent_or_expired: { status: 410, title: 'Link spent or expired' },
  account_disabled: { status: 403, title: 'Account disabled' },
  password_change_required: { status: 403, title: 'Password change required' },
  mfa_enrolment_required: { status: 403, title: 'Second factor required' },
  registration_closed: { status: 403, title: 'Registration closed' },
  origin_not_allowed: { status: 403, title: 'Origin not allowed' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  request_timeout: { status: 408, title: 'Request timeout' },
  other_device: { status: 409, title: 'Opened on another device' },
  username_taken: { status: 409, title: 'Username taken' },
  account_exists: { status: 409, title: 'Account exists' },
  identity_taken: { status: 409, title: 'Identity taken' },
  phone_taken: { status: 409, title: 'Telephone number taken' },
  email_taken: { status: 409, title: 'Email address taken' },
  external_id_taken: { status: 409, title: 'External id taken' },
  no_verified_address: { status: 409, title: 'No verified address' },
  no_second_factor: { status: 409, title: 'No second factor' },
  last_sign_in_method: { status: 409, title: 'Last way to sign in' },
  last_second_factor: { status: 409, title: 'Last second factor' },
  passkey_registered: { status: 409, title: 'Passkey known already' },
  too_many_passkeys: { status: 409, title: 'Too many passkeys' },
  conflict: { status: 409, title: 'Conflict' },
  content_too_large: { status: 413, title: 'Content too large' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  invalid_request: { status: 422, title: 'Invalid request' },
  too_many_attempts: { status: 429, title: 'Too many attempts' },
  rate_limited: { status: 429, title: 'Too many requests' },
  header_too_large: { status: 431, title: 'Header too large' },
  internal_error: { status: 500, title: 'Internal error' },
  provider_unavailable: { status: 503, title: 'Provider unavailable' },
  overloaded: { status: 503, title: 'Overloaded' },
  storage_unavailable: { status: 503, title: 'Storage unavailable' },
  not_ready: { status: 503, title: 'Not ready' },
};

/**
 * The problem documents have no public address, so the type is a URN and not a link (RFC 9457
 * §3.1.1 allows both).
 */
const TYPE_BASE = 'urn:postern:problem:';

/** The `type` of a problem; docs/errors.md has a heading for each code. */
export const problemType = (code: string): string => `${TYPE_BASE}${code}`;

/** Every problem with its default detail, for docs/errors.md. */
export function catalogue(): readonly (Problem & { code: RefusalCode; detail: string })[] {
  return (Object.keys(REFUSALS) as RefusalCode[]).map((code) => ({
    code,
    ...PROBLEMS[code],
    detail: REFUSALS[code],
  }));
}
