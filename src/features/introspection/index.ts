/** Token introspection and revocation for other services. */
import { feature } from '../feature.ts';
import { introspectionRoutes } from './routes.ts';

export const introspection = feature({
  name: 'introspection',
  settings: () => undefined,
  create: (kernel) => ({ routes: () => introspectionRoutes(kernel) }),
});
