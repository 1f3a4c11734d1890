/** A forgotten password. */
import { feature } from '../feature.ts';
import { recoveryRoutes } from './routes.ts';

export const recovery = feature({
  name: 'recovery',
  settings: () => ({}),
  create: (kernel) => ({ routes: () => recoveryRoutes(kernel) }),
});
