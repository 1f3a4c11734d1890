/** Every kind of attempt that is counted, and what its counter does. The only list. */

const DAY_MS = 86_400_000;

export interface PurposeRule {
  /**
   * Whether the counter locks after `throttle.max_failures` failures in a row, until a success
   * elsewhere, an operator or its retention clears it (N5). Without, it only makes callers wait.
   */
  readonly locks: boolean;
  /** Whether `postern user unlock` and `postern user enable` clear it. */
  readonly isClearedByOperator: boolean;
  /**
   * How long failures are remembered after the last attempt: milliseconds, `window` for
   * throttle.window, or `until_success` for as long as the account exists. With nine failures a day
   * forgotten daily, a lock at a hundred would never come (N5). `newest` is the same for what has
   * no account: as long as it is among {@link MAX_NEWEST}.
   */
  readonly kept: number | 'window' | 'until_success' | 'newest';
}

/** Counters of one purpose that are kept for subjects without an account: about 10 MB. */
export const MAX_NEWEST = 50_000;

export const PURPOSES = {
  /** A password at sign-in, or presented again within a session. */
  password: { locks: true, isClearedByOperator: true, kept: 'until_success' },
  /** A name without an account: limited like one that has it, and remembered as long (E05). */
  unknown_name: { locks: true, isClearedByOperator: false, kept: 'newest' },
  /** A second factor that could be guessed, over all such factors and challenges of an account. */
  second_factor: { locks: true, isClearedByOperator: true, kept: 'until_success' },
  /** A second factor of 64 bits and more: apart, so that guesses at a code don't lock it. */
  unguessable_factor: { locks: true, isClearedByOperator: true, kept: 'until_success' },
  /** The code that confirms a new authenticator app. */
  totp_enrolment: { locks: true, isClearedByOperator: true, kept: 'window' },
  /** The code that verifies an address, over all codes of an account. */
  email_code: { locks: true, isClearedByOperator: true, kept: DAY_MS },
  /** The same over all accounts that claim one address, for each network. */
  address_code: { locks: false, isClearedByOperator: false, kept: 'window' },
  /** The code of a registration, over all registrations of an address, for each network. */
  registration_code: { locks: false, isClearedByOperator: false, kept: 'window' },
  /** The password that a registration link asks for. */
  registration_link: { locks: true, isClearedByOperator: false, kept: 'window' },
  /** The row that GET /readyz writes. */
  readiness: { locks: false, isClearedByOperator: false, kept: 'window' },
} as const satisfies Record<string, PurposeRule>;

export type AttemptPurpose = keyof typeof PURPOSES;

export const PURPOSE_NAMES = Object.keys(PURPOSES).filter(
  (name): name is AttemptPurpose => name in PURPOSES,
);
