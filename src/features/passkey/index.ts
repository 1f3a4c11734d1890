/** Passkeys: a way in by itself, and a second factor after the password. */
import type { Feature } from '../feature.ts';
import { passkeyFactor } from './factor.ts';
import { passkeyApp } from './relying-party.ts';
import { passkeyRoutes } from './routes.ts';

export const passkey: Feature = {
  name: 'passkey',
  factors: (app) => {
    const own = passkeyApp(app);
    return own === null ? [] : [passkeyFactor(own)];
  },
  contribute: (app) => {
    const own = passkeyApp(app);
    return { routes: own === null ? [] : passkeyRoutes(own) };
  },
};
