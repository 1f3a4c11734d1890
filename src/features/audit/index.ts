/** The audit log over HTTP, for programs of those who run the service. */
import { feature } from '../feature.ts';
import { auditRoutes } from './routes.ts';

export const audit = feature({
  name: 'audit',
  settings: ({ admin }) => ({ isOn: admin.enabled }),
  create: (kernel, { isOn }) => ({ adminRoutes: () => (isOn ? auditRoutes(kernel) : []) }),
});
