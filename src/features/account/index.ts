/** The account that a token belongs to. */
import type { Feature } from '../feature.ts';
import { accountRoutes } from './routes.ts';

export const account: Feature = {
  name: 'account',
  contribute: (app) => ({ routes: accountRoutes(app) }),
};
