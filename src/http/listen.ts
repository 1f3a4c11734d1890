/**
 * Listeners: TCP, Unix sockets, sockets passed by systemd; several at once. A path is only replaced
 * if it is a socket that nobody serves, and only what this program created is deleted (A06).
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

/** What the listeners need from the process. */
export interface ProcessEdge {
  /** Number of sockets that systemd passed (LISTEN_FDS), as descriptors from 3 upwards. */
  readonly inheritedSockets: number;
  /** Sets the file mode creation mask and returns the previous one. */
  umask(mask: number): number;
}

export interface Listeners {
  /** The actual addresses, as URLs: a port 0 is replaced by the assigned one. */
  readonly addresses: readonly string[];
  /** The addresses that serve metrics; empty if there are none. */
  readonly metrics?: readonly string[];
  /** Where administration is answered, if it has listeners of its own. */
  readonly admin?: readonly string[];
  /**
   * Stops accepting, waits for requests in flight, and closes the remaining connections at the
   * deadline.
   */
  close(deadlineMs: number): Promise<void>;
}

/** A listener that can't be opened: the message tells the operator what to change. */
export class ListenRefused extends Error {
  override readonly name = 'ListenRefused';
}

const MAX_HEADER_BYTES = 16_384;

/**
 * @throws {ListenRefused} an address is in use or forbidden, or a path belongs to something else;
 *   no listener is left open
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
        // Node would answer 417 by itself with an empty body; an unknown expectation may be ignored
        // (RFC 9110 §10.1.1).
        http.on('checkExpectation', listener);
        const sockets = watchConnections(http, connectionLimits);
        open.push({ server: http, sockets });
        await start(http, target, edge);
        // accept(2) can fail later, for lack of descriptors or memory: that connection is lost, and
        // the listener continues.
        http.on('error', (error) => server.acceptFailed(error));
        // The type of a socket passed by systemd is known once it is open: a Unix socket has no
        // address here.
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

/** Only the superuser may give a file to a group that the process is not a member of. */
function giveToGroup(path: string, group: number): void {
  try {
    chownSync(path, -1, group);
  } catch (cause) {
    throw new ListenRefused(
      `${path} can't be given to group ${group}, of which this user is not a member. Make it one, or change group= in server.listen (POSTERN_SERVER_LISTEN).`,
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
      return `${name}: its folder does not exist. Create it, or change server.listen (POSTERN_SERVER_LISTEN).`;
    default:
      return `${name} can't be listened on (${code ?? 'unknown error'}). Change server.listen (POSTERN_SERVER_LISTEN).`;
  }
}

/** Removes a socket that nobody serves. @throws {ListenRefused} it is in use, or is not a socket */
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
 * The id of a group: a number as it is, a name from /etc/group, else from getent (LDAP and others).
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
    `there is no group ${group}. Create it, or change group= in server.listen (POSTERN_SERVER_LISTEN).`,
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
    // A keep-alive connection becomes idle when its last answer is sent; poll until all are closed.
    const sweep = setInterval(() => http.closeIdleConnections(), 25);
    // Node counts a connection without any request (a browser's preconnect) as active; by this
    // time, anything that was sent has been read.
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
