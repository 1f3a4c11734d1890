/**
 * What one connection and one network may hold. Node dispatches every pipelined request at once,
 * however many answers lie unsent on the socket, and no time-out of its covers an answer that nobody
 * reads (T16, H09).
 */
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { Socket } from 'node:net';
import { networkOf } from '../core/session/requester.ts';
import { canonicalAddress } from './requester.ts';

export interface ConnectionLimits {
  /** How long the unsent bytes of an answer may stay as many as they are. */
  readonly answerTimeoutMs: number;
  /** Open connections from one IPv4 address or IPv6 /64; 0 for any number. */
  readonly maxPerNetwork: number;
  /** Peers that speak for many, and count as no network. */
  readonly isTrustedProxy: (address: string) => boolean;
}

/** Requests that wait on a socket for the answer before them; one that sends more is cut off. */
const MAX_WAITING = 16;

/** An answer may make progress for this many answer time-outs before it has to be out. */
const MAX_TIMEOUTS = 6;

/** Looks in one answer time-out. */
const LOOKS = 4;

/**
 * Hands a request over when the answer before it on its connection is out: Node gives a response its
 * socket then. Most connections never have one waiting.
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
  /** Bytes that the peer's side has taken. */
  taken: number;
  /** Looks since the last progress, and since the last time that nothing was unsent. */
  still: number;
  busy: number;
}

/** Bytes that were written and not taken yet; libuv's queue shrinks before a write is done. */
function unsentBytes(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const queued: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'writeQueueSize') : 0;
  const inNode = socket.writableLength;
  return typeof queued === 'number' && queued > 0 ? queued : inNode;
}

/** Whether a connection has held its answer for too long; one look. */
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

/** Watches the connections of a server. What it gives has those that are open as its keys. */
export function watchConnections(
  http: Server,
  limits: ConnectionLimits,
): ReadonlyMap<Socket, unknown> {
  const open = new Map<Socket, Progress>();
  const perNetwork = new Map<string, number>();

  /** Null for peers that no limit is for. */
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
