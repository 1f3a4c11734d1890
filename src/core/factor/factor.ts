/**
 * What a factor is to the way in. A slice that proves something about a user hands over a {@link
 * VerifiedFactor}; two of them count as two only if their kinds differ.
 */
import type { Statement } from '../../db/database.ts';
import type { Amr, FactorKind } from './amr.ts';
import type { Requester } from '../session/requester.ts';
import type { User } from '../user/user.ts';

export type { FactorKind };

export type FactorName =
  | 'password'
  | 'totp'
  | 'passkey'
  | 'recovery_code'
  | 'email_otp'
  | 'sms_otp'
  | 'external';

/**
 * What the guard of an effect says when the factor was used meanwhile: a code of a spent step, a
 * counter that moved. It is no success then.
 */
export const FACTOR_SPENT = 'factor_spent';

export interface VerifiedFactor {
  readonly factor: FactorName;
  readonly kind: FactorKind;
  readonly amr: readonly Amr[];
  /**
   * The user in the state in which the factor was checked; the session starts only if that state
   * still holds.
   */
  readonly user: User;
  /**
   * What has to be committed together with this success: a counter set back, a spent code, a better
   * hash. A guard of theirs that fails makes it no success.
   */
  readonly effects: readonly Statement[];
  /** True when what was shown is right but too old to sign in with. */
  readonly mustChange?: boolean;
  /**
   * The device that showed it, when it signed in before: attempts at the next factor are counted
   * apart from strangers' (L02).
   */
  readonly device?: string | null;
}

/** What somebody shows as a second factor, or again within a session. */
export type Answer =
  | { readonly factor: 'totp'; readonly code: string }
  | { readonly factor: 'recovery_code'; readonly code: string }
  | { readonly factor: 'password'; readonly password: string }
  | { readonly factor: 'passkey'; readonly challengeId: string; readonly credential: unknown };

/** For what an answer is given: a challenge of a passkey is bound to it. */
export interface Occasion {
  /** The pending sign-in, or the session that is authenticated again. */
  readonly kind: 'sign_in' | 'session';
  readonly id: string;
}

/**
 * A factor as the way in and /reauthenticate ask for it; a slice exports one and `features/index`
 * lists the slice.
 */
export interface Factor {
  readonly name: FactorName;
  readonly kind: FactorKind;
  /**
   * Whether having it makes a sign-in ask for a second factor. One that doesn't (a recovery code, a
   * password beside a passkey that verified nobody) only answers such a question.
   */
  readonly demandsSecond: boolean;
  /** Whether this user has it. */
  enrolled(userId: string): Promise<boolean>;
  /**
   * Verifies an answer of this factor. The attempt has been counted.
   *
   * @throws {Refusal} invalid_credentials, overloaded
   */
  verify(
    user: User,
    answer: Answer,
    occasion: Occasion,
    requester: Requester,
    signal: AbortSignal,
  ): Promise<VerifiedFactor>;
}

/** When a second factor is asked for. */
export interface MfaPolicy {
  /**
   * `all`: those who have none are told to enrol one, and after the grace don't come in without.
   */
  readonly required: 'off' | 'enrolled' | 'all';
  /** Milliseconds from the first sign-in without one. */
  readonly graceMs: number;
}
