/**
 * API keys of sibling services and operators' programs; the command line makes and revokes them.
 */
import { OVER_KEYS_KEPT_MS, apiKeySweeps } from '../../core/api-key/api-key.ts';
import { feature } from '../feature.ts';

export const apiKey = feature({
  name: 'api-key',
  settings: () => undefined,
  create: () => ({ sweeps: apiKeySweeps.map((sweep) => ({ sweep, keptMs: OVER_KEYS_KEPT_MS })) }),
});
