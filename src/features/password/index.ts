/** Passwords: signing in with one, showing it again, changing it, asking what the policy says. */
import type { Feature } from '../feature.ts';
import { passwordFactor } from './factor.ts';
import { passwordRoutes } from './routes.ts';

export const password: Feature = {
  name: 'password',
  factors: (app) => [passwordFactor(app)],
  contribute: (app) => ({ routes: passwordRoutes(app) }),
};
