/**
 * Listeners: TCP, Unix sockets, sockets handed over by systemd; several at once. A path that holds anything but a dead socket of
 * ours is never touched, and what we did not make we do not delete (A06).
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, readFileSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { HttpServer } from './server.ts';

export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number; readonly group?: string }
  | { readonly kind: 'systemd' };

export interface ListenLimits {
  readonly headerTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxConnections: number;
}

/** What listening needs of the process. */
export interface ProcessEdge {
  /** Sockets handed over by systemd (LISTEN_FDS), descriptors counted from 3; 0 for none. */
  readonly inheritedSockets: number;
  /** Sets the file mode creation mask and returns the former one. */
  umask(mask: number): number;
}

export interface Listeners {
  /** Where it really listens, as URLs: a port 0 has become a number. */
  readonly addresses: readonly string[];
  /** Stops accepting, lets what is in flight be answered, and cuts what is left at the deadline. */
  close(deadlineMs: number): Promise<void>;
}

/** A listener that can't be: the message tells an operator what to change. */
export class ListenRefused extends Error {
  override readonly name = 'ListenRefused';
}

const MAX_HEADER_BYTES = 16_384;

/** @throws {ListenRefused} an address is taken, forbidden, or a path that is not ours to use; nothing listens then */
export async function listen(server: HttpServer, addresses: readonly ListenAddress[], limits: ListenLimits, edge: ProcessEdge): Promise<Listeners> {
  const open: { server: Server; sockets: Set<Socket>; path: string | null }[] = [];
  const shown: string[] = [];
  const close = async (deadlineMs: number): Promise<void> => {
    await Promise.all(open.map((entry) => closeOne(entry.server, entry.sockets, deadlineMs)));
  };
  try {
    for (const address of addresses) {
      for (const target of targets(address, edge.inheritedSockets)) {
        const http = createServer(
          {
            maxHeaderSize: MAX_HEADER_BYTES,
            headersTimeout: limits.headerTimeoutMs,
            requestTimeout: limits.requestTimeoutMs,
            keepAliveTimeout: limits.keepAliveTimeoutMs,
            connectionsCheckingInterval: Math.max(250, Math.min(limits.headerTimeoutMs, limits.requestTimeoutMs) / 10),
            insecureHTTPParser: false,
            requireHostHeader: false,
            noDelay: true,
          },
          server.listener(target.kind === 'tcp' ? 'tcp' : target.kind === 'unix' ? 'unix' : 'tcp'),
        );
        http.maxConnections = limits.maxConnections;
        http.maxHeadersCount = 0; // counted by the server itself: Node would cut the list without a word
        http.on('clientError', onClientError);
        const sockets = new Set<Socket>();
        http.on('connection', (socket) => {
          sockets.add(socket);
          socket.once('close', () => sockets.delete(socket));
        });
        await start(http, target, edge);
        open.push({ server: http, sockets, path: target.kind === 'unix' ? target.path : null });
        shown.push(describe(http, target));
      }
    }
  } catch (error) {
    await close(0);
    throw error;
  }
  return { addresses: shown, close };
}

type Target = Exclude<ListenAddress, { kind: 'systemd' }> | { readonly kind: 'fd'; readonly fd: number };

function targets(address: ListenAddress, inherited: number): readonly Target[] {
  if (address.kind !== 'systemd') return [address];
  if (inherited === 0) throw new ListenRefused('server.listen has systemd: but systemd handed over no socket (LISTEN_FDS). Start it by its socket unit, or write tcp:// or unix: there.');
  return Array.from({ length: inherited }, (_, index) => ({ kind: 'fd', fd: 3 + index }) as const);
}

async function start(http: Server, target: Target, edge: ProcessEdge): Promise<void> {
  if (target.kind === 'unix') {
    await clearStaleSocket(target.path);
    const previous = edge.umask(0o177);
    try {
      await listening(http, { path: target.path }, target.path);
    } finally {
      edge.umask(previous);
    }
    if (target.group !== undefined) chownSync(target.path, -1, groupId(target.group));
    chmodSync(target.path, target.mode);
  } else if (target.kind === 'fd') await listening(http, { fd: target.fd }, `descriptor ${target.fd}`);
  else await listening(http, { host: target.host, port: target.port }, `${target.host}:${target.port}`);
}

function listening(http: Server, options: { path: string } | { fd: number } | { host: string; port: number }, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => reject(new ListenRefused(listenMessage(error.code, name), { cause: error })));
    http.listen({ ...options, backlog: 1024 }, () => {
      http.removeAllListeners('error');
      resolve();
    });
  });
}

function listenMessage(code: string | undefined, name: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `${name} is taken by another program. Stop it, or set server.listen (POSTERN_SERVER_LISTEN).`;
    case 'EACCES':
    case 'EPERM':
      return `${name} may not be opened by this user. Choose a port above 1023 or another path in server.listen (POSTERN_SERVER_LISTEN).`;
    case 'EADDRNOTAVAIL':
      return `${name} is not an address of this machine. Change server.listen (POSTERN_SERVER_LISTEN).`;
    case 'ENOENT':
      return `${name}: its folder does not exist. Make it, or change server.listen (POSTERN_SERVER_LISTEN).`;
    default:
      return `${name} can't be listened on (${code ?? 'unknown error'}). Change server.listen (POSTERN_SERVER_LISTEN).`;
  }
}

/** Removes a socket that nobody answers on. @throws {ListenRefused} it is answered, or is no socket */
async function clearStaleSocket(path: string): Promise<void> {
  let stat;
  try {
    stat = lstatSync(path);
  } catch {
    return;
  }
  if (!stat.isSocket()) throw new ListenRefused(`${path} exists and is not a socket. Nothing was deleted; move it away or change server.listen (POSTERN_SERVER_LISTEN).`);
  const answer = await new Promise<'answered' | 'refused' | 'unknown'>((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve('answered');
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED' ? 'refused' : 'unknown'));
  });
  if (answer === 'answered') throw new ListenRefused(`${path} is already served by a running program. Stop it, or change server.listen (POSTERN_SERVER_LISTEN).`);
  if (answer === 'unknown') throw new ListenRefused(`${path} is a socket that this user can't open. Nothing was deleted; change its mode, or server.listen (POSTERN_SERVER_LISTEN).`);
  unlinkSync(path);
}

/** The id of a group name: a number as it is, a name by /etc/group, else by getent (LDAP and the like). */
function groupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  const find = (lines: string): number | undefined => {
    const line = lines.split('\n').find((candidate) => candidate.startsWith(`${group}:`));
    return line === undefined ? undefined : Number(line.split(':')[2]);
  };
  try {
    const id = find(readFileSync('/etc/group', 'utf8')) ?? find(execFileSync('getent', ['group', group], { encoding: 'utf8' }));
    if (id !== undefined && Number.isInteger(id)) return id;
  } catch {
    // falls through to the message
  }
  throw new ListenRefused(`there is no group ${group}. Make it, or change group= in server.listen (POSTERN_SERVER_LISTEN).`);
}

function describe(http: Server, target: Target): string {
  const address = http.address();
  if (address === null) return `descriptor ${target.kind === 'fd' ? target.fd : '?'}`;
  if (typeof address === 'string') return `unix:${address}`;
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}

const BAD_REQUEST = ['HTTP/1.1 400 Bad Request', 'urn:postern:problem:malformed_request', 'Malformed request', 400, 'malformed_request'] as const;
const TOO_LARGE = ['HTTP/1.1 431 Request Header Fields Too Large', 'urn:postern:problem:malformed_request', 'Header too large', 431, 'malformed_request'] as const;
const TIMED_OUT = ['HTTP/1.1 408 Request Timeout', 'urn:postern:problem:malformed_request', 'Request timed out', 408, 'malformed_request'] as const;

/** What Node's parser refuses never becomes a request: answered by hand, in the same form, and the connection ends (H08). */
function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [line, type, title, status, code] = error.code === 'HPE_HEADER_OVERFLOW' ? TOO_LARGE : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? TIMED_OUT : BAD_REQUEST;
  const body = JSON.stringify({ type, title, status, detail: 'The request could not be read.', code });
  socket.end(
    `${line}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function closeOne(http: Server, sockets: Set<Socket>, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, deadlineMs);
    // A kept-alive connection becomes idle when its last answer is out; look until all are gone.
    const sweep = setInterval(() => http.closeIdleConnections(), 25);
    http.close(() => {
      clearTimeout(cut);
      clearInterval(sweep);
      resolve();
    });
    http.closeIdleConnections();
  });
}
