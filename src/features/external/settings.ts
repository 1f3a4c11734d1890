/** The providers as the feature uses them. */
import type { CookiePolicy } from '../../http/token-transport.ts';
import type { Provider, ProviderOptions } from './provider.ts';

export interface ProviderPolicy extends ProviderOptions {
  /** Whether an address that the provider calls verified is verified here. */
  readonly trustEmail: boolean;
  /** The claim that becomes the display name of a new account. */
  readonly displayNameClaim: string;
}

export interface OfferedProvider {
  readonly provider: Provider;
  readonly trustEmail: boolean;
  readonly displayNameClaim: string;
}

export interface ExternalSettings {
  readonly providers: readonly ProviderPolicy[];
  readonly isRegistrationOpen: boolean;
  readonly cookies: CookiePolicy;
}
