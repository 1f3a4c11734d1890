/** Administration over HTTP: users, for programs of those who run the service. */
import { feature } from '../feature.ts';
import { adminRoutes } from './routes.ts';
import { adminSettings } from './settings.ts';
import { statsRoutes } from './show-stats.ts';

export const admin = feature({
  name: 'admin',
  settings: adminSettings,
  create: (kernel, settings) => ({
    adminRoutes: () =>
      settings.isOn ? [...adminRoutes(kernel, settings), ...statsRoutes(kernel)] : [],
  }),
});
