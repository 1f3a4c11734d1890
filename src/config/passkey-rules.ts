/** Rules about the domain of passkeys and the pages that can use them. */
import { isInScope, relyingPartyScope } from '../features/passkey/config.ts';
import type { RelyingPartyScope } from '../features/passkey/config.ts';
import { isLoopbackHost } from '../lib/origin.ts';
import type { Rule } from './rule.ts';
import type { Config } from './schema.ts';

export const PASSKEY_RULES: readonly Rule[] = [
  {
    keys: [
      'passkeys.origins',
      'passkeys.rp_id',
      'server.public_url',
      'server.listen',
      'passkeys.enabled',
    ],
    fault: (config) => {
      const scope = scopeOf(config);
      const foreign = scope?.origins.find((origin) => !isInScope(scope.id, origin));
      if (scope === null || foreign === undefined) return undefined;
      const { hostname, protocol } = new URL(foreign);
      const where =
        config.passkeys.origins.length === 0
          ? `passkeys.origins is empty, which means ${foreign}, and`
          : `passkeys.origins has "${foreign}", and`;
      if (protocol === 'http:' && !isLoopbackHost(hostname))
        return `${where} browsers allow passkeys only over https. Write "${foreign.replace(/^http:/, 'https:')}".`;
      return `${where} its host is neither ${scope.id}${scope.id.includes('.') ? ' nor under it' : ''}, the domain of passkeys.rp_id. Write passkeys.rp_id = the domain that all of passkeys.origins share, or other origins.`;
    },
  },
  {
    keys: ['passkeys.rp_id', 'server.public_url', 'server.listen', 'passkeys.enabled'],
    isWarning: true,
    fault: (config) =>
      config.passkeys.enabled && config.server.public_url !== '' && scopeOf(config) === null
        ? 'Passkeys are off: browsers allow them only on https pages of a domain, and server.public_url is not one. Write passkeys.rp_id = "example.com" and passkeys.origins = ["https://app.example.com"], or passkeys.enabled = false.'
        : undefined,
  },
];

/** The passkeys' domain and origins; null if passkeys are off or could not be used anywhere. */
function scopeOf({ passkeys, server }: Config): RelyingPartyScope | null {
  return passkeys.enabled
    ? relyingPartyScope({
        publicUrl: server.public_url,
        rpId: passkeys.rp_id,
        origins: passkeys.origins,
      })
    : null;
}
