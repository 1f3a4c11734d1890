/** Signing in with ID tokens of outside providers (OpenID Connect). */
import { feature } from '../feature.ts';
import { issuerOf } from './config.ts';
import { externalMethod } from './present-again.ts';
import { createProvider } from './provider.ts';
import { externalRoutes, identityListing } from './routes.ts';
import type { ExternalSettings, OfferedProvider } from './settings.ts';

export const external = feature({
  name: 'external',
  settings: ({ external: providers, registration, cookies }): ExternalSettings => ({
    providers: [...providers].map(([name, one]) => ({
      name,
      issuer: issuerOf(name, one) ?? '',
      clientIds: one.client_ids,
      algorithms: one.algorithms,
      jwksUrl: one.jwks_url,
      trustEmail: one.trust_email,
      displayNameClaim: one.display_name_claim,
    })),
    isRegistrationOpen: registration.enabled,
    cookies,
  }),
  create: (kernel, settings) => {
    const offered = new Map<string, OfferedProvider>(
      settings.providers.map((policy) => {
        const { name, trustEmail, displayNameClaim } = policy;
        const provider = createProvider(policy, kernel);
        return [name, { provider, trustEmail, displayNameClaim }];
      }),
    );
    return {
      routes: () => externalRoutes(kernel, offered, settings),
      listing: identityListing(kernel),
      ...(offered.size === 0 ? {} : { signInMethod: externalMethod(kernel, offered) }),
    };
  },
});
