/** The JWKS, the metadata that refers to it, each key as PEM; and the answer of GET /. */
import { feature } from '../feature.ts';
import { discoveryRoutes } from './routes.ts';

export const discovery = feature({
  name: 'discovery',
  settings: ({ tokens, server }) => ({ algorithm: tokens.algorithm, name: server.name }),
  create: (kernel, settings) => ({ routes: () => discoveryRoutes(kernel, settings) }),
});
