/**
 * What features are given: every capability of the process, built once by `app.ts`. Core functions
 * ask for the part that they use, so nothing points back here from below.
 */
import type * as z from 'zod';
import type { Config } from '../config/schema.ts';
import type { AuthenticationDeps } from '../core/factor/authentication-deps.ts';
import type { Factor } from '../core/factor/factor.ts';
import type { MailDeps } from '../core/email/email.ts';
import type { User } from '../core/user/user.ts';
import type { PasswordHasher } from '../crypto/password-hash.ts';
import type { OpenDatabase } from '../db/open.ts';

/** Passwords that everybody uses, compared offline. */
export interface CommonPasswords {
  has(password: string): boolean;
}

/** Passwords that were in a breach. */
export interface Breached {
  /** Whether this normalised password was in one. */
  has(password: string): Promise<boolean>;
}

/** A factor with what GET /me/factors says of it. */
export interface FeatureFactor extends Factor {
  readonly listing?: {
    /** Members of the answer, each with its schema. */
    readonly shape: Readonly<Record<string, z.ZodType>>;
    list(user: User): Promise<Readonly<Record<string, unknown>>>;
  };
}

export interface App extends AuthenticationDeps, MailDeps {
  readonly factors: readonly FeatureFactor[];
  readonly config: Config;
  readonly db: OpenDatabase;
  readonly hasher: PasswordHasher;
  readonly commonPasswords: CommonPasswords;
  readonly breached: Breached;
  /**
   * Has the courier look at the outbox now; letters go out by themselves without it, a little
   * later.
   */
  readonly wakeCourier: () => void;
}
