/**
 * Limits per connection and per network. Node dispatches every pipelined request at once, however
 * many answers are unsent on the socket, and none of its time-outs covers an answer that the client
 * does not read (T16, H09).
 */
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { Socket } from 'node:net';
import { networkOf } from '../core/requester.ts';
import { canonicalAddress } from './requester.ts';

export interface ConnectionLimits {
  /** How long an answer may make no progress in being sent. */
  readonly answerTimeoutMs: number;
  /** Open connections from one IPv4 address or IPv6 /64; 0 for any number. */
  readonly maxPerNetwork: number;
  /**
   * Peers that forward requests of many clients (proxies): the limit per network does not apply.
   */
  readonly isTrustedProxy: (address: string) => boolean;
}

/** Maximum number of pipelined requests that wait on a socket; one more closes the connection. */
const MAX_WAITING = 16;

/** An answer that makes progress must still be complete after this many answer time-outs. */
const MAX_TIMEOUTS = 6;

/** Checks per answer time-out. */
const LOOKS = 4;

/**
 * Passes a request on once the previous answer on its connection is sent: that is when Node assigns
 * the socket to the next response. Most connections never have a request waiting.
 */
export function inTurn(listener: RequestListener): RequestListener {
  const waiting = new WeakMap<Socket, number>();
  const takeUp = (socket: Socket, by: 1 | -1): number => {
    const count = (waiting.get(socket) ?? 0) + by;
    waiting.set(socket, count);
    return count;
  };
  return (incoming: IncomingMessage, outgoing) => {
    if (outgoing.socket !== null) return listener(incoming, outgoing);
    const { socket } = incoming;
    if (socket.destroyed) return;
    if (takeUp(socket, 1) > MAX_WAITING) {
      socket.destroy();
      return;
    }
    outgoing.once('socket', () => {
      takeUp(socket, -1);
      listener(incoming, outgoing);
    });
  };
}

interface Progress {
  /** Bytes that the peer has received. */
  taken: number;
  /** Checks since the last progress, and since the socket last had nothing unsent. */
  still: number;
  busy: number;
}

/** Bytes written but not yet sent; libuv's queue shrinks before a write completes. */
function unsentBytes(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const queued: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'writeQueueSize') : 0;
  const inNode = socket.writableLength;
  return typeof queued === 'number' && queued > 0 ? queued : inNode;
}

/** Whether a connection has kept its answer unread for too long; counts one check. */
function isStalled(socket: Socket, progress: Progress): boolean {
  const unsent = unsentBytes(socket);
  if (unsent === 0) {
    progress.busy = 0;
    progress.still = 0;
    return false;
  }
  const taken = socket.bytesWritten - unsent;
  progress.still = taken === progress.taken ? progress.still + 1 : 0;
  progress.taken = taken;
  progress.busy++;
  return progress.still >= LOOKS || progress.busy >= LOOKS * MAX_TIMEOUTS;
}

/** Watches the connections of a server. The keys of the returned map are the open connections. */
export function watchConnections(
  http: Server,
  limits: ConnectionLimits,
): ReadonlyMap<Socket, unknown> {
  const open = new Map<Socket, Progress>();
  const perNetwork = new Map<string, number>();

  /** Null for peers without a limit. */
  const networkOfPeer = ({ remoteAddress }: Socket): string | null => {
    if (limits.maxPerNetwork === 0 || remoteAddress === undefined) return null;
    const ip = canonicalAddress(remoteAddress);
    return ip === null || limits.isTrustedProxy(ip) ? null : networkOf({ ip });
  };

  http.on('connection', (socket) => {
    // Node takes its own listener away from a socket that it hands over (connect, upgrade,
    // clientError): without this one, a reset by the peer would then be an uncaught exception (T15).
    socket.on('error', () => undefined);
    const network = networkOfPeer(socket);
    const held = network === null ? 0 : (perNetwork.get(network) ?? 0);
    if (network !== null && held >= limits.maxPerNetwork) {
      socket.destroy();
      return;
    }
    if (network !== null) perNetwork.set(network, held + 1);
    open.set(socket, { taken: 0, still: 0, busy: 0 });
    socket.once('close', () => {
      open.delete(socket);
      if (network === null) return;
      const left = (perNetwork.get(network) ?? 1) - 1;
      if (left === 0) perNetwork.delete(network);
      else perNetwork.set(network, left);
    });
  });

  const look = setInterval(() => {
    for (const [socket, progress] of open) if (isStalled(socket, progress)) socket.destroy();
  }, limits.answerTimeoutMs / LOOKS);
  look.unref();
  http.on('close', () => clearInterval(look));
  return open;
}
