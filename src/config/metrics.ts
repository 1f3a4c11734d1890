/** The `[metrics]` section. */
import { list, section } from '../lib/setting.ts';
import { readOwnListenAddress } from './listen-address.ts';

export const metricsSection = section('Metrics for Prometheus (docs/metrics.md).', {
  listen: list({
    sentence:
      'Addresses that answer GET /metrics, and nothing else; the addresses of server.listen never answer it.',
    default: [],
    unit: '"tcp://127.0.0.1:7401" or "unix:/path?mode=0660&group=name"',
    read: readOwnListenAddress,
  }),
});
