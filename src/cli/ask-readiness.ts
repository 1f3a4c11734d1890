/** Asks a running service whether it is ready, at the first of its listeners. */
import { request } from 'node:http';
import type { ListenAddress } from '../config/listen-address.ts';

const TIMEOUT_MS = 3_000;
const MAX_BYTES = 65_536;

/** The socket of systemd's socket unit, when `server.listen` has only `systemd:`. */
const SYSTEMD_SOCKET = '/run/postern/postern.sock';

export type Readiness =
  | { readonly kind: 'ready' }
  | { readonly kind: 'not_ready'; readonly reasons: readonly string[] }
  | { readonly kind: 'no_answer'; readonly why: string };

/** @param socket the path of systemd's socket, if it is elsewhere */
export function askReadiness(
  listen: readonly ListenAddress[],
  socket: string = SYSTEMD_SOCKET,
): Promise<Readiness> {
  const address = listen.find(({ kind }) => kind !== 'systemd');
  const where = address === undefined ? { socketPath: socket } : target(address, socket);
  return new Promise((resolve) => {
    const asked = request(
      { ...where, path: '/readyz', timeout: TIMEOUT_MS, headers: { host: 'localhost' } },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          if (text.length < MAX_BYTES) text += chunk;
        });
        response.on('end', () => resolve(readinessOf(response.statusCode ?? 0, text)));
      },
    );
    asked.on('timeout', () => asked.destroy(new Error('no answer in 3 s')));
    asked.on('error', (error) =>
      resolve({ kind: 'no_answer', why: 'code' in error ? String(error.code) : error.message }),
    );
    asked.end();
  });
}

/** The answer of /readyz; its reasons are words of a closed list. */
function readinessOf(status: number, text: string): Readiness {
  if (status === 200) return { kind: 'ready' };
  const reasons = [...text.matchAll(/"([a-z_]+)"/g)].map(([, word = '']) => word);
  const at = reasons.indexOf('reasons');
  return {
    kind: 'not_ready',
    reasons: at < 0 ? [`/readyz answered ${status}`] : reasons.slice(at + 1),
  };
}

function target(
  address: ListenAddress,
  socket: string,
): { socketPath: string } | { host: string; port: number } {
  if (address.kind === 'unix') return { socketPath: address.path };
  if (address.kind === 'systemd') return { socketPath: socket };
  const everywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  return { host: everywhere[address.host] ?? address.host, port: address.port };
}
