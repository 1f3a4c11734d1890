/** Sessions: going on with one, listing them, ending them. */
import type { Feature } from '../feature.ts';
import { sessionRoutes } from './routes.ts';

export const session: Feature = {
  name: 'session',
  contribute: (app) => ({ routes: sessionRoutes(app) }),
};
