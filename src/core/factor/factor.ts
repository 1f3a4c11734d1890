/**
 * The interface of a factor: one folder of `features/` exports one. Core knows no factor by name;
 * routes, documents and the command line are generated from the list of factors (docs/adding.md).
 */
import type * as z from 'zod';
import type { Statement } from '../../db/database.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { AttemptPurpose } from '../attempt/purposes.ts';
import type { Context } from '../context.ts';
import type { User } from '../user/user.ts';
import type { FactorKind, PresentedFactor } from './presented.ts';

/** A factor that was presented and verified. */
export interface VerifiedFactor extends PresentedFactor {
  /** The user in the state in which it was verified; a session starts only in that state. */
  readonly user: User;
  /**
   * Statements committed together with this success: a counter reset, a spent code, a better hash.
   * If one of their guards fails, the factor was not verified.
   */
  readonly effects: readonly Statement[];
  /** True when the presented password is correct but too old to sign in with. */
  readonly mustChange?: boolean;
  /** The known device that presented it; it has attempt counters of its own. */
  readonly device?: string | null;
  /** The device token that identified the device; it stays valid. */
  readonly deviceToken?: string;
}

/** The purpose for which a factor is presented: the challenge of a passkey is bound to it. */
export interface Occasion {
  /** The pending sign-in, or the session that reauthenticates. */
  readonly kind: 'sign_in' | 'session';
  readonly id: string;
}

/** What remains of a factor that is switched off: its records. */
export interface FactorRecords {
  /** Its member of a request, and its name everywhere. */
  readonly name: string;
  /** The section of the configuration that enables it. */
  readonly section: string;
  /** The statements that remove a user's enrolment, for an operator. */
  removeAll(userId: string): readonly Statement[];
  /** Whether any user has enrolled it. */
  inUse(): Promise<boolean>;
}

/** The part of a factor in GET /me/factors. */
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
   * Whether enrolling it makes a second factor required at sign-in. A factor without this (a
   * recovery code, a password) can only be the answer to that requirement.
   */
  readonly demandsSecond: boolean;
  /** Which attempt counter it uses; factors that can't be guessed have one of their own. */
  readonly attemptPurpose: AttemptPurpose;
  /** Whether this user has enrolled it. */
  enrolled(userId: string): Promise<boolean>;
  /**
   * Verifies an answer. The attempt has already been counted.
   *
   * @throws {Refusal} invalid_credentials, overloaded
   */
  verify(context: Context, user: User, answer: Answer, occasion: Occasion): Promise<VerifiedFactor>;
  /**
   * For an answer that is known before the sign-in begins, such as a typed code: POST /login takes
   * it together with the password.
   */
  readonly withPassword?: { readonly description: string };
  readonly listing?: FactorListing;
  /** For a factor that an account can be created with. */
  readonly accountCredential?: AccountCredential;
  /** Only for a factor that replaces a lost one: generates its codes anew. */
  renewBackup?(context: Context, userId: string): Promise<BackupCodes>;
}

/** The account that a credential is made for, before it exists. */
export interface FutureAccount {
  readonly kind: 'username' | 'email';
  readonly canonical: string;
}

/** A credential with which an account is created instead of a password. */
export interface NewCredential {
  /** What making it has presented. */
  readonly presented: PresentedFactor;
  /** The id that the account gets; the credential may contain it. */
  readonly userId: string;
  /** What is stored of it; sealed until an address is verified. */
  readonly record: JsonObject;
}

export interface AccountCredential<Answer = unknown> {
  /** Its member in the body of POST /register. */
  readonly answer: z.ZodType<Answer>;
  /** @throws {Refusal} invalid_request */
  verify(context: Context, account: FutureAccount, answer: Answer): Promise<NewCredential>;
  /** The statements that store it for the new account. */
  statements(userId: string, record: JsonObject): readonly Statement[];
}

/** An answer that a request carries, with the factor that it belongs to. */
export interface FactorAnswer {
  readonly factor: Factor;
  /** The output of the factor's schema. */
  readonly value: unknown;
}

/** When a second factor is required. */
export interface MfaPolicy {
  /** `all`: users without one are asked to enrol one, and can't sign in after the grace. */
  readonly required: 'off' | 'enrolled' | 'all';
  /** Counted from the first sign-in without one, milliseconds. */
  readonly graceMs: number;
}
