/** `postern health`: asks the running service whether it is ready; for containers and scripts. */
import { request } from 'node:http';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import type { Verb } from './verb.ts';
import type { ListenAddress } from '../config/listen-address.ts';

const TIMEOUT_MS = 3_000;

export const health: Verb = {
  name: 'health',
  summary: 'Asks the running service whether it is ready: exit code 0 or 1.',
  examples: ['postern health', 'postern health --config /etc/postern/config.toml'],
  run: async (call) => {
    const { config } = loadConfig(call);
    const address = config.server.listen.find(({ kind }) => kind !== 'systemd');
    const where = address === undefined ? undefined : target(address);
    if (where === undefined) {
      call.output.error(
        'server.listen has only systemd: there is no address to ask. Ask /readyz on the socket itself.',
      );
      return EXIT.failed;
    }
    const status = await new Promise<number | string>((resolve) => {
      const asked = request(
        { ...where, path: '/readyz', timeout: TIMEOUT_MS, headers: { host: 'localhost' } },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      asked.on('timeout', () => asked.destroy(new Error('no answer in 3 s')));
      asked.on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
      asked.end();
    });
    if (status === 200) {
      call.output.answer('ready');
      return EXIT.done;
    }
    call.output.error(
      typeof status === 'number' ? `not ready: /readyz answered ${status}` : `not ready: ${status}`,
    );
    return EXIT.failed;
  },
};

/** Where a service that listens on all addresses is asked. */
const LOOPBACK: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

function target(
  address: ListenAddress,
): { socketPath: string } | { host: string; port: number } | undefined {
  if (address.kind === 'unix') return { socketPath: address.path };
  if (address.kind === 'systemd') return undefined;
  return { host: LOOPBACK.get(address.host) ?? address.host, port: address.port };
}
