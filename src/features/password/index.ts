/**
 * Passwords: signing in, reauthenticating, changing the password, checking one against the policy.
 */
import { feature } from '../feature.ts';
import { passwordFactor } from './factor.ts';
import { canSignInWithPassword } from './store.ts';
import { passwordRoutes } from './routes.ts';

export const password = feature({
  name: 'password',
  settings: ({ cookies, server }) => ({ cookies, changePasswordUrl: server.change_password_url }),
  create: (kernel, settings) => ({
    factor: passwordFactor(kernel),
    signInMethod: { name: 'password', isUsable: canSignInWithPassword },
    routes: () => passwordRoutes(kernel, settings),
  }),
});
