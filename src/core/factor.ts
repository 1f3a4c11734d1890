/**
 * What a factor is to the way in. A slice that proves something about a user hands over a {@link VerifiedFactor}; two of them
 * count as two only if their kinds differ.
 */
import type { Statement } from '../db/database.ts';
import type { Amr } from './amr.ts';
import type { User } from './user.ts';

export type FactorName = 'password' | 'totp' | 'passkey' | 'recovery_code' | 'email_otp' | 'sms_otp' | 'external';

export type FactorKind = 'knowledge' | 'mailbox' | 'phone' | 'device' | 'external';

export interface VerifiedFactor {
  readonly factor: FactorName;
  readonly kind: FactorKind;
  readonly amr: readonly Amr[];
  /** The user in the state in which the factor was checked; the session starts only if that state still holds. */
  readonly user: User;
  /** What has to be committed together with this success: a counter set back, a spent code, a better hash. */
  readonly effects: readonly Statement[];
  /** True when what was shown is right but too old to sign in with. */
  readonly mustChange?: boolean;
}

/** A factor as the way in and /reauthenticate ask for it; a slice exports one and `features/index` lists the slice. */
export interface Factor {
  readonly name: FactorName;
  readonly kind: FactorKind;
  /** Whether it may be the second one after another kind. */
  readonly second: boolean;
  /** Whether this user has it. */
  enrolled(userId: string): Promise<boolean>;
}

/** When a second factor is asked for. */
export interface MfaPolicy {
  readonly required: 'off' | 'enrolled';
}
