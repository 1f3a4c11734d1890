/** Importing users from another system, with their passwords as it had hashed them. */
import { feature } from '../feature.ts';
import { importRoutes } from './routes.ts';

export const importing = feature({
  name: 'import',
  settings: ({ admin }) => ({ isOn: admin.enabled }),
  create: (kernel, { isOn }) => ({ adminRoutes: () => (isOn ? importRoutes(kernel) : []) }),
});
