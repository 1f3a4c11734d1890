/** Shared by the operations of this feature. */
import type { CookiePolicy } from '../../http/token-transport.ts';

export interface RegistrationSettings {
  readonly enabled: boolean;
  /** Whether accounts may choose a username. */
  readonly hasUsernames: boolean;
  /** How many accounts may be anonymous; null where they are not offered. */
  readonly maxAnonymous: number | null;
  readonly cookies: CookiePolicy;
  /** Maximum number of unverified registrations by email. */
  readonly maxPending: number;
  /** The page to which links in emails lead. */
  readonly verifyUrl: string;
  /** Lifetime of a link, milliseconds. */
  readonly linkTtlMs: number;
}

/** What a new account has besides its name and its password or passkey. */
export interface Profile {
  readonly displayName: string | undefined;
  readonly userMetadata: Record<string, unknown> | undefined;
}

export interface ProfileInput extends Profile {
  readonly password: string;
}
