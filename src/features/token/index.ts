/** Tokens for services, in their own name and in a user's name. */
import { feature } from '../feature.ts';
import { tokenRoutes } from './routes.ts';

export const token = feature({
  name: 'token',
  settings: () => undefined,
  create: (kernel) => ({ routes: () => tokenRoutes(kernel) }),
});
