/**
 * Listeners: TCP, Unix sockets, sockets handed over by systemd; several at once. A path that holds
 * anything but a dead socket of ours is never touched, and what we did not make we do not delete
 * (A06).
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, readFileSync, unlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { ListenAddress } from '../config/listen-address.ts';
import { endWith, peerOf, refuseUnparsed } from './bare-socket.ts';
import { inTurn, watchConnections } from './connections.ts';
import type { ListeningServer } from './metrics-server.ts';
import { proxyCheck } from './requester.ts';

export interface ListenLimits {
  readonly headerTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxConnections: number;
  readonly answerTimeoutMs: number;
  readonly maxConnectionsPerNetwork: number;
  readonly trustedProxies: readonly string[];
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
  /** Where metrics are answered, if anywhere. */
  readonly metrics?: readonly string[];
  /** Where administration is answered, if it has listeners of its own. */
  readonly admin?: readonly string[];
  /** Stops accepting, lets what is in flight be answered, and cuts what is left at the deadline. */
  close(deadlineMs: number): Promise<void>;
}

/** A listener that can't be: the message tells an operator what to change. */
export class ListenRefused extends Error {
  override readonly name = 'ListenRefused';
}

const MAX_HEADER_BYTES = 16_384;

/**
 * @throws {ListenRefused} an address is taken, forbidden, or a path that is not ours to use;
 *   nothing listens then
 */
export async function listen(
  server: ListeningServer,
  addresses: readonly ListenAddress[],
  limits: ListenLimits,
  edge: ProcessEdge,
): Promise<Listeners> {
  const connectionLimits = {
    answerTimeoutMs: limits.answerTimeoutMs,
    maxPerNetwork: limits.maxConnectionsPerNetwork,
    isTrustedProxy: proxyCheck(limits.trustedProxies),
  };
  const open: { server: Server; sockets: ReadonlyMap<Socket, unknown> }[] = [];
  const shown: string[] = [];
  const close = async (deadlineMs: number): Promise<void> => {
    await Promise.all(open.map((entry) => closeOne(entry.server, entry.sockets, deadlineMs)));
  };
  try {
    for (const address of addresses) {
      for (const target of targets(address, edge.inheritedSockets)) {
        let serve = server.listener(target.kind === 'unix' ? 'unix' : 'tcp');
        const listener = inTurn((incoming, outgoing) => serve(incoming, outgoing));
        const http = createServer(
          {
            maxHeaderSize: MAX_HEADER_BYTES,
            headersTimeout: limits.headerTimeoutMs,
            requestTimeout: limits.requestTimeoutMs,
            keepAliveTimeout: limits.keepAliveTimeoutMs,
            connectionsCheckingInterval: Math.max(
              250,
              Math.min(limits.headerTimeoutMs, limits.requestTimeoutMs) / 10,
            ),
            insecureHTTPParser: false,
            requireHostHeader: false,
            noDelay: true,
          },
          listener,
        );
        http.maxConnections = limits.maxConnections;
        http.maxHeadersCount = 0; // counted by the server itself: Node would cut the list without a word
        http.on('clientError', (error, socket) => refuseUnparsed(server, error, socket));
        http.on('connect', (_request, socket) =>
          endWith(socket, server.unparsed('unknown_method', peerOf(socket))),
        );
        // Node would answer 417 by itself, bare; an expectation that we don't know is none (RFC
        // 9110 §10.1.1).
        http.on('checkExpectation', listener);
        const sockets = watchConnections(http, connectionLimits);
        open.push({ server: http, sockets });
        await start(http, target, edge);
        // accept(2) can fail later, for want of descriptors or memory: that connection is lost, the
        // listener goes on.
        http.on('error', (error) => server.acceptFailed(error));
        // What systemd handed over tells what it is once it is open: a Unix socket has no address
        // here.
        if (target.kind === 'fd' && http.address() === null) serve = server.listener('unix');
        shown.push(describe(http, target));
      }
    }
  } catch (error) {
    await close(0);
    throw error;
  }
  return { addresses: shown, close };
}

type Target =
  | Exclude<ListenAddress, { kind: 'systemd' }>
  | { readonly kind: 'fd'; readonly fd: number };

function targets(address: ListenAddress, inherited: number): readonly Target[] {
  if (address.kind !== 'systemd') return [address];
  if (inherited === 0)
    throw new ListenRefused(
      'server.listen has systemd: but systemd handed over no socket (LISTEN_FDS). Start it by its socket unit, or write tcp:// or unix: there.',
    );
  return Array.from({ length: inherited }, (_, index) => ({ kind: 'fd', fd: 3 + index }) as const);
}

async function start(http: Server, target: Target, edge: ProcessEdge): Promise<void> {
  if (target.kind === 'unix') {
    const group = target.group === undefined ? undefined : groupId(target.group);
    await clearStaleSocket(target.path);
    const previous = edge.umask(0o177);
    try {
      await listening(http, { path: target.path }, target.path);
    } finally {
      edge.umask(previous);
    }
    if (group !== undefined) giveToGroup(target.path, group);
    chmodSync(target.path, target.mode);
  } else if (target.kind === 'fd')
    await listening(http, { fd: target.fd }, `descriptor ${target.fd}`);
  else
    await listening(
      http,
      { host: target.host, port: target.port },
      `${target.host}:${target.port}`,
    );
}

/** Only the superuser gives a file to a group that it is not in itself. */
function giveToGroup(path: string, group: number): void {
  try {
    chownSync(path, -1, group);
  } catch (cause) {
    throw new ListenRefused(
      `${path} can't be given to group ${group}, of which this user is no member. Make it one, or change group= in server.listen (POSTERN_SERVER_LISTEN).`,
      { cause },
    );
  }
}

function listening(
  http: Server,
  options: { path: string } | { fd: number } | { host: string; port: number },
  name: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void =>
      reject(new ListenRefused(listenMessage(error.code, name), { cause: error }));
    http.once('error', refuse);
    http.listen({ ...options, backlog: 1024 }, () => {
      http.off('error', refuse);
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

/**
 * Removes a socket that nobody answers on. @throws {ListenRefused} it is answered, or is no socket
 */
async function clearStaleSocket(path: string): Promise<void> {
  let stat: Stats;
  try {
    stat = lstatSync(path);
  } catch {
    return;
  }
  if (!stat.isSocket())
    throw new ListenRefused(
      `${path} exists and is not a socket. Nothing was deleted; move it away or change server.listen (POSTERN_SERVER_LISTEN).`,
    );
  const answer = await new Promise<'answered' | 'refused' | 'unknown'>((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve('answered');
    });
    probe.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ECONNREFUSED' ? 'refused' : 'unknown'),
    );
  });
  if (answer === 'answered')
    throw new ListenRefused(
      `${path} is already served by a running program. Stop it, or change server.listen (POSTERN_SERVER_LISTEN).`,
    );
  if (answer === 'unknown')
    throw new ListenRefused(
      `${path} is a socket that this user can't open. Nothing was deleted; change its mode, or server.listen (POSTERN_SERVER_LISTEN).`,
    );
  unlinkSync(path);
}

/**
 * The id of a group name: a number as it is, a name by /etc/group, else by getent (LDAP and the
 * like).
 */
function groupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  const find = (lines: string): number | undefined => {
    const line = lines.split('\n').find((candidate) => candidate.startsWith(`${group}:`));
    return line === undefined ? undefined : Number(line.split(':')[2]);
  };
  try {
    const id =
      find(readFileSync('/etc/group', 'utf8')) ??
      find(execFileSync('getent', ['group', group], { encoding: 'utf8' }));
    if (id !== undefined && Number.isInteger(id)) return id;
  } catch {
    // falls through to the message
  }
  throw new ListenRefused(
    `there is no group ${group}. Make it, or change group= in server.listen (POSTERN_SERVER_LISTEN).`,
  );
}

function describe(http: Server, target: Target): string {
  const address = http.address();
  if (address === null) return `descriptor ${target.kind === 'fd' ? target.fd : '?'}`;
  if (typeof address === 'string') return `unix:${address}`;
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}

/** How long a connection may stay silent once the server stops. */
const SILENT_MS = 500;

function closeOne(
  http: Server,
  sockets: ReadonlyMap<Socket, unknown>,
  deadlineMs: number,
): Promise<void> {
  if (!http.listening) return Promise.resolve();
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      for (const socket of sockets.keys()) socket.destroy();
    }, deadlineMs);
    // A kept-alive connection becomes idle when its last answer is out; look until all are gone.
    const sweep = setInterval(() => http.closeIdleConnections(), 25);
    // A connection on which nobody says anything (a browser's preconnect) is not in flight, though
    // Node counts it so; what has been said and not been read yet is read by then.
    const hush = setTimeout(() => {
      for (const socket of sockets.keys()) if (socket.bytesRead === 0) socket.destroy();
    }, SILENT_MS);
    http.close(() => {
      clearTimeout(cut);
      clearTimeout(hush);
      clearInterval(sweep);
      resolve();
    });
    http.closeIdleConnections();
  });
}
