/** What the operations of this feature share. */
import type { CookiePolicy } from '../../http/token-transport.ts';

export interface RegistrationSettings {
  readonly enabled: boolean;
  /** Whether accounts may choose a username. */
  readonly hasUsernames: boolean;
  readonly cookies: CookiePolicy;
  /** Registrations by email that may wait at once. */
  readonly maxPending: number;
  /** The page that takes the links of emails. */
  readonly verifyUrl: string;
  /** How long such a link is good, milliseconds. */
  readonly linkTtlMs: number;
}

/** An account that has just been registered. */
export interface ProfileInput {
  readonly password: string;
  readonly displayName: string | undefined;
  readonly userMetadata: Record<string, unknown> | undefined;
}
