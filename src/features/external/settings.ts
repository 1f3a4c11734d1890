/** The providers as the feature uses them. */
import type { CookiePolicy } from '../../http/token-transport.ts';
import type { ProviderOptions } from './options.ts';
import type { ProfilePolicy } from './profile.ts';
import type { Provider } from './provider.ts';

export interface ProviderPolicy extends ProviderOptions {
  readonly policy: ProfilePolicy;
}

export interface OfferedProvider {
  readonly provider: Provider;
  readonly policy: ProfilePolicy;
}

export interface ExternalSettings {
  readonly providers: readonly ProviderPolicy[];
  readonly isRegistrationOpen: boolean;
  readonly cookies: CookiePolicy;
}
