/** Passkeys: a sign-in without a password, or a second factor after it. */
import type { Config } from '../../config/schema.ts';
import { feature } from '../feature.ts';
import { PASSKEY_CHALLENGE_TYPE } from './challenge-token.ts';
import { relyingPartyScope } from './config.ts';
import { passkeyFactor, passkeyRecords } from './factor.ts';
import { portablePasskeys } from './portable.ts';
import { passkeyRoutes } from './routes.ts';
import type { NewAccounts, PasskeyRoutes } from './routes.ts';
import type { PasskeySettings } from './settings.ts';
import { canSignInWithPasskey } from './store.ts';

function newAccounts(section: Config['registration']): NewAccounts {
  if (!section.enabled) return 'closed';
  return section.usernames ? 'by_any_name' : 'by_email';
}

export const passkey = feature({
  name: 'passkey',
  tokenTypes: [PASSKEY_CHALLENGE_TYPE],
  settings: ({ passkeys: section, server, cookies, registration }): PasskeyRoutes | null => {
    const { rp_id: rpId, origins } = section;
    const scope = section.enabled
      ? relyingPartyScope({ publicUrl: server.public_url, rpId, origins })
      : null;
    if (scope === null) return null;
    const passkeys: PasskeySettings = {
      relyingParty: { ...scope, name: section.rp_name ?? server.name },
      userVerification: section.user_verification,
      attestation: section.attestation,
      enrollUrl: section.enroll_url,
      manageUrl: section.manage_url,
    };
    return { passkeys, cookies, registration: newAccounts(registration) };
  },
  secondFactor: {
    isUsable: (settings) => settings !== null,
    remedy: 'passkeys.enabled = true with a passkeys.rp_id that browsers accept',
  },
  create: (kernel, settings) => {
    const portable = portablePasskeys(kernel);
    if (settings === null) return { switchedOffFactor: passkeyRecords(kernel), portable };
    const own = { ...kernel, passkeys: settings.passkeys };
    return {
      factor: passkeyFactor(own),
      portable,
      signInMethod: { name: 'passkey', isUsable: canSignInWithPasskey },
      routes: () => passkeyRoutes(own, settings),
    };
  },
});
