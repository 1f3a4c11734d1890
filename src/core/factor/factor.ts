/**
 * What a factor is: one folder of `features/` that exports one of these. Core knows no factor by
 * name; routes, documents and the command line are made of the list of them (docs/adding.md).
 */
import type * as z from 'zod';
import type { Statement } from '../../db/database.ts';
import type { AttemptPurpose } from '../attempt/purposes.ts';
import type { Context } from '../context.ts';
import type { User } from '../user/user.ts';
import type { FactorKind, PresentedFactor } from './presented.ts';

/** A factor that was presented and is right. */
export interface VerifiedFactor extends PresentedFactor {
  /** The user in the state in which it was verified; a session starts only in that state. */
  readonly user: User;
  /**
   * What is committed together with this success: a counter set back, a spent code, a better hash. A
   * guard of theirs that fails makes it no success.
   */
  readonly effects: readonly Statement[];
  /** True when what was presented is right but too old to sign in with. */
  readonly mustChange?: boolean;
  /** The device that presented it, when it signed in before: it has attempt counters of its own. */
  readonly device?: string | null;
  /** The device token that said so, which goes on being the device's. */
  readonly deviceToken?: string;
}

/** For what a factor is presented: the challenge of a passkey is bound to it. */
export interface Occasion {
  /** The pending sign-in, or the session that is authenticated again. */
  readonly kind: 'sign_in' | 'session';
  readonly id: string;
}

/** What is left of a factor when it is switched off: its records. */
export interface FactorRecords {
  /** Its member of a request, and its name everywhere. */
  readonly name: string;
  /** The section of the configuration that switches it on. */
  readonly section: string;
  /** The statements that remove what a user has enrolled of it: an operator's removal. */
  removeAll(userId: string): readonly Statement[];
  /** Whether any user has enrolled it. */
  inUse(): Promise<boolean>;
}

/** What GET /me/factors says of a factor. */
export interface FactorListing {
  /** Members of the answer, each with its schema. */
  readonly shape: Readonly<Record<string, z.ZodType>>;
  list(user: User): Promise<Readonly<Record<string, unknown>>>;
}

/** New backup codes, shown once. */
export interface BackupCodes {
  readonly statements: readonly Statement[];
  readonly codes: readonly string[];
}

export interface Factor<Answer = unknown> extends FactorRecords {
  readonly kind: FactorKind;
  /** The schema of its member in the bodies of /login/mfa and /reauthenticate. */
  readonly answer: z.ZodType<Answer>;
  /**
   * Whether a user who has enrolled it is asked for a second factor. One that doesn't (a recovery
   * code, a password) only answers that question.
   */
  readonly demandsSecond: boolean;
  /** Whether a sign-in can begin with it; without one that does, nobody can sign in. */
  readonly comesFirst?: true;
  /** Which attempt counter it uses; factors that can't be guessed have one of their own. */
  readonly attemptPurpose: AttemptPurpose;
  /** Whether this user has it. */
  enrolled(userId: string): Promise<boolean>;
  /**
   * Verifies an answer. The attempt has been counted.
   *
   * @throws {Refusal} invalid_credentials, overloaded
   */
  verify(context: Context, user: User, answer: Answer, occasion: Occasion): Promise<VerifiedFactor>;
  readonly listing?: FactorListing;
  /** Of a factor that stands in for a lost one: makes its codes anew. */
  renewBackup?(context: Context, userId: string): Promise<BackupCodes>;
}

/** An answer that a request carries, of the factor that it names. */
export interface FactorAnswer {
  readonly factor: Factor;
  /** As the factor's schema gave it. */
  readonly value: unknown;
}

/** When a second factor is asked for. */
export interface MfaPolicy {
  /** `all`: those who have none are told to enrol one, and after the grace can't sign in. */
  readonly required: 'off' | 'enrolled' | 'all';
  /** From the first sign-in without one, milliseconds. */
  readonly graceMs: number;
}
