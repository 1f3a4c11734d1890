/** Token Status Lists: which sessions have ended, for services that verify tokens themselves. */
import { feature } from '../feature.ts';
import { statusListRoutes } from './routes.ts';

export const statusList = feature({
  name: 'status-list',
  settings: ({ revocation }) => ({ isOn: revocation.status_list, ttlMs: revocation.ttl }),
  create: (kernel, { isOn, ttlMs }) => ({
    routes: () => (isOn ? statusListRoutes(kernel, ttlMs) : []),
  }),
});
