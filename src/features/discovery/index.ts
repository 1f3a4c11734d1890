/** The JWKS, the metadata that leads to it, and each key as PEM. */
import { feature } from '../feature.ts';
import { discoveryRoutes } from './routes.ts';

export const discovery = feature({
  name: 'discovery',
  settings: ({ tokens }) => tokens.algorithm,
  create: (kernel, algorithm) => ({ routes: () => discoveryRoutes(kernel, algorithm) }),
});
