/**
 * Passwords: signing in, reauthenticating, changing the password, checking one against the policy.
 */
import type * as z from 'zod';
import { feature } from '../feature.ts';
import { endOfDay } from './config.ts';
import type { passwordSection } from './config.ts';
import { passwordFactor } from './factor.ts';
import { canSignInWithPassword } from './store.ts';
import { passwordRoutes } from './routes.ts';

/** The old system, if it is configured; the rules of the configuration demand all three or none. */
function legacyOf({ legacy_url: url, legacy_secret: secret, legacy_until: until }: Section) {
  return url === undefined || secret === undefined || until === undefined
    ? null
    : { url, secret, endsAt: endOfDay(until) };
}

type Section = z.output<typeof passwordSection>;

export const password = feature({
  name: 'password',
  settings: ({ cookies, server, password: section }) => ({
    cookies,
    changePasswordUrl: server.change_password_url,
    legacy: legacyOf(section),
  }),
  create: (kernel, settings) => ({
    factor: passwordFactor(kernel),
    signInMethod: { name: 'password', isUsable: canSignInWithPassword },
    routes: () => passwordRoutes(kernel, settings),
  }),
});
