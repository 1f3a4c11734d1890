/**
 * The parts of a problem document besides its `code`: the codes of `errors[]`, and members that
 * only some problems have. docs/errors.md is generated from this; a test compares it with the code.
 */
import type { RefusalCode } from '../refusal.ts';

export interface FaultMeaning {
  readonly cause: string;
  readonly remedy: string;
}

/** Codes of `errors[]`, which come with `invalid_request`. */
export const FAULT_CODES: Readonly<Record<string, FaultMeaning>> = {
  required: { cause: 'A member is missing.', remedy: 'Send it; the pointer names it.' },
  unknown_member: {
    cause: 'The body has a member that the route does not take.',
    remedy: 'Leave it out, or correct its spelling.',
  },
  wrong_type: {
    cause: 'A member has the wrong type, such as a number instead of a string.',
    remedy: 'Send the type that the detail names.',
  },
  malformed_line: {
    cause: 'A line of an import is not one JSON object in UTF-8, or is too long.',
    remedy: 'Write each user on a line of its own, without line breaks inside.',
  },
  taken: {
    cause: 'Another account has this name, address, external_id or passkey.',
    remedy: 'Rename one of the two, or leave the line out.',
  },
  hash_malformed: {
    cause: 'A password hash is in none of the spellings that an import knows.',
    remedy:
      'Convert it as docs/import-users.md says, or leave it out: the user resets the password.',
  },
  hash_cost: {
    cause: 'Comparing with a password hash would cost more than the service pays.',
    remedy: 'Leave it out: the user resets the password.',
  },
  hash_pepper: {
    cause: 'A password hash was made with a pepper that is not configured here.',
    remedy: 'Add it to password.previous_peppers.',
  },
  too_short: { cause: 'The text has too few characters.', remedy: 'The detail says how many.' },
  too_long: { cause: 'The text has too many characters.', remedy: 'The detail says how many.' },
  too_many: {
    cause: 'Several members that exclude each other were sent.',
    remedy: 'Send one of them.',
  },
  invalid: {
    cause: 'The value does not have the format that the member requires.',
    remedy: 'The detail says which.',
  },
  invalid_email: {
    cause: 'The text is not an email address to which mail can be sent.',
    remedy: 'Send one address as local@domain, without a display name.',
  },
  invalid_phone: {
    cause: 'The text is not a telephone number in international form.',
    remedy: 'Send + and the country calling code, then the number.',
  },
  country_not_served: {
    cause: 'The number belongs to a country that sms.countries does not list.',
    remedy: 'Use a number of a country that the service sends messages to.',
  },
  not_mobile: {
    cause:
      'The number is a fixed line, or one that costs its caller (premium rate, shared cost, pager, VoIP and others).',
    remedy: 'Use a mobile number.',
  },
  invalid_username: {
    cause: 'The name has forbidden characters, or looks like an email address.',
    remedy: 'The detail says which characters are allowed.',
  },
  ill_formed_text: {
    cause: 'The text has control characters, NUL or broken Unicode.',
    remedy: 'Remove them.',
  },
  inexact_number: {
    cause: 'A number that JSON parsers read differently, such as an integer beyond 2^53.',
    remedy: 'Send it as a text.',
  },
  forbidden_characters: {
    cause: 'The password has control characters or broken Unicode.',
    remedy: 'Remove them; everything else may be in a password.',
  },
  common: {
    cause: 'The password is one of the most common ones, or a simple variation of one.',
    remedy: 'Let the user choose several words of their own.',
  },
  context_word: {
    cause: 'The password is little more than a name of the account or of the service.',
    remedy: 'Let the user add words of their own.',
  },
  breached: {
    cause: 'The password was in a breach of another service.',
    remedy: 'Let the user choose another one, and change it where it was used.',
  },
  reused: {
    cause: 'The user has or had this password.',
    remedy: 'Let the user choose one that is new.',
  },
  not_due: {
    cause: 'The factor is not one that the sign-in asked for.',
    remedy: 'Use one of `factors` of the mfa_required answer.',
  },
  not_enabled: {
    cause: '`"cookie": true` where cookies are off.',
    remedy: 'Set cookies.enabled, or leave the member out.',
  },
  not_verified: {
    cause: 'The answer of the authenticator could not be verified.',
    remedy: 'Ask for new options and let the user try again.',
  },
  origin_not_allowed: {
    cause: 'The passkey was made on a page whose origin is not in passkeys.origins.',
    remedy: 'Add the origin, which the log names (`passkey.origin_refused`).',
  },
  spent_or_expired: {
    cause: 'The challenge was already answered, has expired, or belongs to another session.',
    remedy: 'Ask for new options.',
  },
  registered_claim: {
    cause: 'A claim has a name that RFC 7519 or this service uses.',
    remedy: 'Choose another name.',
  },
  too_many_actors: {
    cause: 'The token has been exchanged too many times in a row.',
    remedy: 'Exchange the original token.',
  },
};

/** Members that only some problems have, besides those that all have. */
export const PROBLEM_MEMBERS: readonly {
  readonly member: string;
  readonly of: RefusalCode;
  readonly meaning: string;
}[] = [
  { member: 'errors', of: 'invalid_request', meaning: 'Each fault: `pointer`, `code`, `detail`.' },
  {
    member: 'reset_token',
    of: 'password_change_required',
    meaning: 'What `POST /password/reset` takes as `token`.',
  },
  {
    member: 'email_sent',
    of: 'password_change_required',
    meaning: '`true` when a link for a new password went to the account’s verified address.',
  },
  {
    member: 'expires_in',
    of: 'password_change_required',
    meaning: 'Seconds until `reset_token` ends.',
  },
  {
    member: 'factors',
    of: 'insufficient_user_authentication',
    meaning:
      'Those that `POST /reauthenticate` would take, when the user has a second factor. `max_age` and `acr_values` are in `WWW-Authenticate` (RFC 9470).',
  },
  {
    member: 'unknown_credential',
    of: 'invalid_credentials',
    meaning:
      'When the passkey is unknown to this service: the argument of `PublicKeyCredential.signalUnknownCredential()`.',
  },
  { member: 'reasons', of: 'not_ready', meaning: 'What is missing.' },
];
