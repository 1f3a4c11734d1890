/** Sessions: refreshing, listing and ending them. */
import { feature } from '../feature.ts';
import { sessionRoutes } from './routes.ts';

export const session = feature({
  name: 'session',
  settings: ({ cookies }) => cookies,
  create: (kernel, cookies) => ({ routes: () => sessionRoutes(kernel, cookies) }),
});
