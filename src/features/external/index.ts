/** Signing in with outside providers: ID tokens (OpenID Connect), and authorization codes. */
import { feature } from '../feature.ts';
import { readProvider } from './config.ts';
import type { ProviderSettings } from './config.ts';
import { externalMethod } from './present-again.ts';
import { createProvider } from './provider.ts';
import { externalRoutes, identityListing } from './routes.ts';
import type { CodeOptions } from './options.ts';
import type { ExternalSettings, OfferedProvider, ProviderPolicy } from './settings.ts';
import { flowSweep } from './store.ts';

function codeOptions(name: string, one: ProviderSettings): CodeOptions | null {
  const [clientId] = one.client_ids;
  if (one.redirect_uris.length === 0 || clientId === undefined) return null;
  const { scopes, clientAuthentication, codeBinding } = readProvider(name, one);
  return {
    clientId,
    redirectUris: one.redirect_uris,
    scopes,
    authentication: clientAuthentication,
    binding: codeBinding,
    clientSecret: one.client_secret,
    teamId: one.team_id,
    keyId: one.key_id,
    privateKey: one.private_key,
  };
}

function providerPolicy(name: string, one: ProviderSettings): ProviderPolicy {
  const { issuer, issuers, profile, apiUrl, trustEmail } = readProvider(name, one);
  const metadataClaims = new Map(
    one.metadata_claims.map((written) => {
      const [member = '', claim = member] = written.split('=');
      return [member, claim];
    }),
  );
  return {
    name,
    issuer,
    issuers,
    profile,
    apiUrl,
    clientIds: one.client_ids,
    algorithms: one.algorithms,
    jwksUrl: one.jwks_url,
    code: codeOptions(name, one),
    policy: { trustEmail, displayNameClaim: one.display_name_claim, metadataClaims },
  };
}

export const external = feature({
  name: 'external',
  settings: ({ external: providers, registration, cookies }): ExternalSettings => ({
    providers: [...providers].map(([name, one]) => providerPolicy(name, one)),
    isRegistrationOpen: registration.enabled,
    cookies,
  }),
  create: (kernel, settings) => {
    const offered = new Map<string, OfferedProvider>(
      settings.providers.map(({ policy, ...options }) => [
        options.name,
        { provider: createProvider(options, kernel), policy },
      ]),
    );
    return {
      routes: () => externalRoutes(kernel, offered, settings),
      listing: identityListing(kernel),
      sweeps: [{ sweep: flowSweep, keptMs: 0 }],
      ...(offered.size === 0 ? {} : { signInMethod: externalMethod(kernel, offered) }),
    };
  },
});
