/**
 * Addresses to listen on, as an operator writes them: `tcp://host:port`,
 * `unix:/path?mode=0660&group=name`, `systemd:`.
 */
import { isIP } from 'node:net';
import type { Reading } from '../lib/setting-registry.ts';

export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number; readonly group?: string }
  | { readonly kind: 'systemd' };

const TCP =
  /^tcp:\/\/(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)):(\d{1,5})$/;
const GROUP = /^(?:[a-z_][a-z0-9_-]{0,31}|\d{1,10})$/;
const DEFAULT_MODE = 0o660;
/** The maximum length of sockaddr_un's path, without its NUL. */
const MAX_PATH_BYTES = 107;
const FORMS =
  'Write "tcp://127.0.0.1:7400", "tcp://[::1]:7400", "unix:/run/postern/postern.sock?mode=0660&group=www-data" or "systemd:".';

const refuse = (
  problem: string,
  remedy = FORMS,
): { refusals: readonly { problem: string; remedy: string }[] } => ({
  refusals: [{ problem, remedy }],
});

/** Reads one listener. */
export function readListenAddress(text: string): Reading<ListenAddress> {
  if (text === 'systemd:') return { value: { kind: 'systemd' } };
  if (text.startsWith('unix:')) return readUnix(text.slice('unix:'.length));
  if (!text.includes(':')) return refuse('has no scheme and no port');
  if (!/^[a-z]+:\/\//.test(text)) return refuse('has no scheme', `Write "tcp://${text}".`);
  const [, ipv6, host, port] = TCP.exec(text) ?? [];
  const name = ipv6 ?? host;
  if (name === undefined || port === undefined) return refuse('is not an address and a port');
  if (ipv6 !== undefined && isIP(ipv6) !== 6) return refuse('has no IPv6 address in its brackets');
  if (/^[\d.]+$/.test(name) && isIP(name) === 0) return refuse('has no IPv4 address');
  return Number(port) > 65_535
    ? refuse('has a port above 65535')
    : { value: { kind: 'tcp', host: name, port: Number(port) } };
}

/** Reads a listener of a part of the service: a socket of systemd would be one of all of it. */
export function readOwnListenAddress(text: string): Reading<ListenAddress> {
  return text === 'systemd:'
    ? refuse('is for server.listen', 'Write an address, such as "tcp://127.0.0.1:7401".')
    : readListenAddress(text);
}

function readUnix(rest: string): Reading<ListenAddress> {
  const [path = '', query = '', ...more] = rest.split('?');
  if (path === '' || path.startsWith('//') || more.length > 0) return refuse('has no path');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    return refuse(`has a path of more than ${MAX_PATH_BYTES} bytes, which no socket can have`);
  const options = new URLSearchParams(query);
  const unknown = [...options.keys()].find((key) => key !== 'mode' && key !== 'group');
  if (
    unknown !== undefined ||
    options.getAll('mode').length > 1 ||
    options.getAll('group').length > 1
  )
    return refuse('has options other than one mode and one group');
  const mode = options.get('mode');
  if (mode !== null && !/^0?[0-7]{3}$/.test(mode))
    return refuse('has a mode that is not octal, such as 0660');
  const group = options.get('group');
  if (group !== null && !GROUP.test(group)) return refuse('has an invalid group name');
  const bits = mode === null ? DEFAULT_MODE : Number.parseInt(mode, 8);
  return {
    value:
      group === null
        ? { kind: 'unix', path, mode: bits }
        : { kind: 'unix', path, mode: bits, group },
  };
}
