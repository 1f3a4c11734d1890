/**
 * Whether the process lives, and whether it can do its work. Liveness never asks the database: one
 * slow disk must not restart it.
 */
import { feature } from '../feature.ts';
import { healthRoutes } from './routes.ts';

export const health = feature({
  name: 'health',
  settings: () => undefined,
  create: (kernel) => ({ routes: () => healthRoutes(kernel, kernel.pendingMigrations) }),
});
