/** The proxies of examples/, run as they are published but for addresses and folders. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PEERS, relocated } from './peers.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));

export interface Places {
  /** Where the proxy listens, on 127.0.0.1. */
  readonly port: number;
  /** The application behind it. */
  readonly app: number;
  /** postern's Unix socket. */
  readonly socket: string;
}

export interface NginxPlaces extends Omit<Places, 'socket'> {
  /** postern as nginx names it: `unix:PATH`, or an address of TCP. */
  readonly upstream: string;
}

const example = (name: string): string => readFileSync(join(EXAMPLES, name), 'utf8');

/** What starts nginx in the foreground, with its files in a directory. */
export function nginx(directory: string, { port, app, upstream }: NginxPlaces): readonly string[] {
  writeFileSync(
    join(directory, 'postern.conf'),
    relocated(example('nginx/postern.conf'), {
      'unix:/run/postern/postern.sock;': `${upstream};`,
      '127.0.0.1:8080': `127.0.0.1:${port}`,
      '127.0.0.1:3000': `127.0.0.1:${app}`,
    }),
  );
  mkdirSync(join(directory, 'temp'));
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/temp/${name};`)
    .join(' ');
  writeFileSync(
    join(directory, 'nginx.conf'),
    `daemon off; master_process off; pid ${directory}/nginx.pid; error_log stderr warn; events {} http { access_log off; ${temps} include ${directory}/postern.conf; }`,
  );
  const own = ['-e', 'stderr', '-p', directory, '-c', join(directory, 'nginx.conf')];
  return [PEERS.nginx.path, ...own];
}

export interface HaproxyPlaces extends Places {
  /** The key that signs tokens, and the issuer that they name. */
  readonly pem: string;
  readonly issuer: string;
}

/** What starts HAProxy. */
export function haproxy(directory: string, places: HaproxyPlaces): readonly string[] {
  const pemPath = join(directory, 'postern.pem');
  writeFileSync(pemPath, places.pem);
  writeFileSync(
    join(directory, 'haproxy.cfg'),
    relocated(example('haproxy/haproxy.cfg'), {
      '/run/postern/postern.sock': places.socket,
      '/etc/haproxy/postern.pem': pemPath,
      'https://auth.example.com': places.issuer,
      '127.0.0.1:8080': `127.0.0.1:${places.port}`,
      '127.0.0.1:3000': `127.0.0.1:${places.app}`,
    }),
  );
  return [PEERS.haproxy.path, '-db', '-f', join(directory, 'haproxy.cfg')];
}

/** What starts Caddy. */
export function caddy(directory: string, { port, app, socket }: Places): readonly string[] {
  const file = join(directory, 'Caddyfile');
  writeFileSync(
    file,
    relocated(example('caddy/Caddyfile'), {
      '/run/postern/postern.sock': socket,
      'http://:8080': `http://:${port}`,
      '127.0.0.1:3000': `127.0.0.1:${app}`,
    }),
  );
  const env = ['env', `HOME=${directory}`, `XDG_DATA_HOME=${directory}`];
  return [...env, PEERS.caddy.path, 'run', '--config', file];
}
