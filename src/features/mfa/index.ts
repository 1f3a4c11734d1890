/** The second step of a sign-in, stepping up within a session, and recovery codes. */
import type { App } from '../../app/capabilities.ts';
import type { Feature } from '../feature.ts';
import { recoveryCodeFactor } from './factor.ts';
import { mfaRoutes } from './routes.ts';

/** Without a factor that asks for a second one there is nothing to recover. */
const isOn = ({ config }: App): boolean => config.totp.enabled || config.passkeys.enabled;

export const mfa: Feature = {
  name: 'mfa',
  factors: (app) => (isOn(app) ? [recoveryCodeFactor(app)] : []),
  contribute: (app) => ({ routes: mfaRoutes(app) }),
};
