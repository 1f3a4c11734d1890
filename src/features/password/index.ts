/**
 * Passwords: signing in with one, presenting it again, changing it, what the policy says of one.
 */
import { feature } from '../feature.ts';
import { passwordFactor } from './factor.ts';
import { passwordRoutes } from './routes.ts';

export const password = feature({
  name: 'password',
  settings: ({ cookies, server }) => ({ cookies, changePasswordUrl: server.change_password_url }),
  create: (kernel, settings) => ({
    factor: passwordFactor(kernel),
    routes: () => passwordRoutes(kernel, settings),
  }),
});
