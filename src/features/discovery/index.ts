/** The JWKS, the metadata that refers to it, each key as PEM; the answer of GET /; rotation. */
import { feature } from '../feature.ts';
import { signingKeyRoutes } from './key-acts.ts';
import { discoveryRoutes } from './routes.ts';

export const discovery = feature({
  name: 'discovery',
  settings: ({ tokens, server, admin }) => ({
    algorithm: tokens.algorithm,
    name: server.name,
    isAdminOn: admin.enabled,
  }),
  create: (kernel, settings) => ({
    routes: () => discoveryRoutes(kernel, settings),
    adminRoutes: () => (settings.isAdminOn ? signingKeyRoutes(kernel) : []),
  }),
});
