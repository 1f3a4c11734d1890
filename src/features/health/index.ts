/**
 * Liveness and readiness. Liveness never reads the database: a slow disk must not cause a restart.
 */
import { feature } from '../feature.ts';
import { healthRoutes } from './routes.ts';

export const health = feature({
  name: 'health',
  settings: () => undefined,
  create: (kernel) => ({ routes: () => healthRoutes(kernel, kernel.pendingMigrations) }),
});
