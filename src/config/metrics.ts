/** The `[metrics]` section. */
import { list, section } from '../lib/setting.ts';
import type { Reading } from '../lib/setting.ts';
import { readListenAddress } from './listen-address.ts';
import type { ListenAddress } from './listen-address.ts';

export const metricsSection = section('Metrics for Prometheus (docs/metrics.md).', {
  listen: list({
    sentence:
      'Addresses that answer GET /metrics, and nothing else; the addresses of server.listen never answer it.',
    default: [],
    unit: '"tcp://127.0.0.1:7401" or "unix:/path?mode=0660&group=name"',
    read: readMetricsAddress,
  }),
});

/** systemd passes only sockets of the service itself. */
function readMetricsAddress(text: string): Reading<ListenAddress> {
  return text === 'systemd:'
    ? {
        refusals: [
          {
            problem: 'is for server.listen',
            remedy: 'Write an address, such as "tcp://127.0.0.1:7401".',
          },
        ],
      }
    : readListenAddress(text);
}
