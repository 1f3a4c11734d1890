/** API keys of sibling services and operators' programs. */
import { OVER_KEYS_KEPT_MS, apiKeySweeps } from '../../core/api-key/api-key.ts';
import { feature } from '../feature.ts';
import { apiKeyRoutes } from './routes.ts';

export const apiKey = feature({
  name: 'api-key',
  settings: ({ admin }) => ({ isOn: admin.enabled }),
  create: (kernel, { isOn }) => ({
    adminRoutes: () => (isOn ? apiKeyRoutes(kernel) : []),
    sweeps: apiKeySweeps.map((sweep) => ({ sweep, keptMs: OVER_KEYS_KEPT_MS })),
  }),
});
