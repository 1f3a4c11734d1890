/** What other services may ask of a token, and how they end its session. */
import { feature } from '../feature.ts';
import { introspectionRoutes } from './routes.ts';

export const introspection = feature({
  name: 'introspection',
  settings: () => undefined,
  create: (kernel) => ({ routes: () => introspectionRoutes(kernel) }),
});
