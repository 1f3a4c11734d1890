/** What the operations of this slice are given: the capabilities, and whose passkeys they are. */
import type { App } from '../../app/capabilities.ts';
import { relyingPartyScope } from './config.ts';
import type { RelyingPartyScope } from './config.ts';

export interface RelyingParty extends RelyingPartyScope {
  readonly name: string;
}

export interface PasskeyApp extends App {
  readonly relyingParty: RelyingParty;
}

/** The app with its relying party, or null when passkeys are off or nobody could use one. */
export function passkeyApp(app: App): PasskeyApp | null {
  const { passkeys, server } = app.config;
  const scope = passkeys.enabled
    ? relyingPartyScope({
        publicUrl: server.public_url,
        rpId: passkeys.rp_id,
        origins: passkeys.origins,
      })
    : null;
  return scope === null
    ? null
    : { ...app, relyingParty: { ...scope, name: passkeys.rp_name ?? server.name } };
}
