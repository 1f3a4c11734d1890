/**
 * The `typ` of each token kind of the core; a token of another kind is refused (RFC 8725 §3.11).
 */
export const ACCESS_TOKEN_TYPE = 'at+jwt';
export const REFRESH_TOKEN_TYPE = 'rt+jwt';
export const CHALLENGE_TOKEN_TYPE = 'challenge+jwt';
export const STATUS_LIST_TOKEN_TYPE = 'statuslist+jwt';
export const SECURITY_EVENT_TOKEN_TYPE = 'secevent+jwt';
