/** The only list of attempt purposes, and the properties of their counters. */

const DAY_MS = 86_400_000;

export interface PurposeRule {
  /**
   * Whether the counter locks after `throttle.max_failures` consecutive failures, until it is
   * cleared by a success elsewhere, an operator or its retention (N5). Otherwise it only makes
   * callers wait.
   */
  readonly locks: boolean;
  /** Whether `postern user unlock` and `postern user enable` clear it. */
  readonly isClearedByOperator: boolean;
  /**
   * How long failures are remembered after the last attempt: milliseconds, `window` for
   * throttle.window, or `until_success` for as long as the account exists; otherwise nine failures
   * a day, forgotten daily, would never reach the lock at a hundred (N5). `newest` is the same for
   * subjects without an account, while they are among the {@link MAX_NEWEST} newest.
   */
  readonly kept: number | 'window' | 'until_success' | 'newest';
}

/** Maximum number of counters per purpose for subjects without an account: about 10 MB. */
export const MAX_NEWEST = 50_000;

export const PURPOSES = {
  /** A password at sign-in, or at reauthentication. */
  password: { locks: true, isClearedByOperator: true, kept: 'until_success' },
  /** A name without an account: limited and remembered like one with an account (E05). */
  unknown_name: { locks: true, isClearedByOperator: false, kept: 'newest' },
  /** A guessable second factor, over all such factors and challenges of an account. */
  second_factor: { locks: true, isClearedByOperator: true, kept: 'until_success' },
  /**
   * A second factor of at least 64 bits, counted separately, so that guesses at a code don't lock
   * it.
   */
  unguessable_factor: { locks: true, isClearedByOperator: true, kept: 'until_success' },
  /** The code that confirms a new authenticator app. */
  totp_enrolment: { locks: true, isClearedByOperator: true, kept: 'window' },
  /** The code that verifies an address, over all codes of an account. */
  email_code: { locks: true, isClearedByOperator: true, kept: DAY_MS },
  /** The same over all accounts with this pending address, per network. */
  address_code: { locks: false, isClearedByOperator: false, kept: 'window' },
  /** The code of a registration, over all registrations of an address, for each network. */
  registration_code: { locks: false, isClearedByOperator: false, kept: 'window' },
  /** The code of a sign-in, over all codes of an address, with an account or without one (E03). */
  sign_in_code: { locks: true, isClearedByOperator: true, kept: 'newest' },
  /** The code that verifies a telephone number, over all codes of an account. */
  phone_code: { locks: true, isClearedByOperator: true, kept: DAY_MS },
  /**
   * A recovery code that begins a sign-in, with an account of the name or without one. 75 bits are
   * not guessed, so it only makes callers wait; and it is no counter of the second factors, which
   * strangers could lock then (L02).
   */
  recovery_sign_in: { locks: false, isClearedByOperator: true, kept: 'window' },
  /** The password that a registration link asks for. */
  registration_link: { locks: true, isClearedByOperator: false, kept: 'window' },
  /** The row that GET /readyz writes. */
  readiness: { locks: false, isClearedByOperator: false, kept: 'window' },
} as const satisfies Record<string, PurposeRule>;

export type AttemptPurpose = keyof typeof PURPOSES;

export const PURPOSE_NAMES = Object.keys(PURPOSES).filter(
  (name): name is AttemptPurpose => name in PURPOSES,
);
