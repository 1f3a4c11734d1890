/**
 * Answers on a bare socket, for input that never became a request: what Node's parser refused, and
 * CONNECT or Upgrade. The socket gets one hand-written answer and is closed (H08).
 */
import { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { canonicalAddress } from './requester.ts';
import type { ListeningServer } from './metrics-server.ts';
import type { UnparsedFault } from './unparsed.ts';

/** Answers input that never became a request, in the format of every other refusal. */
export function refuseUnparsed(
  server: ListeningServer,
  error: NodeJS.ErrnoException & { rawPacket?: Buffer },
  socket: Duplex,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  // The request was already answered from its headers and the bytes after them failed to parse:
  // don't send a second answer.
  if (isAnswered(socket)) endWith(socket, '');
  else endWith(socket, server.unparsed(unparsedFault(error), peerOf(socket)));
}

/** The peer's address: no header was parsed that could name a client behind a proxy. */
export function peerOf(socket: Duplex): string | null {
  const address: unknown = Reflect.get(socket, 'remoteAddress');
  return typeof address === 'string' ? canonicalAddress(address) : null;
}

/** How long a final answer may stay unread on a socket that no HTTP time-out covers any more. */
const LAST_ANSWER_MS = 2_000;

/** Sends a final answer and closes the connection, whether or not the peer reads it. */
export function endWith(socket: Duplex, bytes: string): void {
  const cut = setTimeout(() => socket.destroy(), LAST_ANSWER_MS);
  cut.unref();
  socket.once('close', () => clearTimeout(cut));
  socket.end(bytes, () => socket.destroy());
}

/**
 * Whether an unfinished answer has already sent its headers; Node's own handler makes the same
 * check.
 */
function isAnswered(socket: Duplex): boolean {
  const message: unknown = Reflect.get(socket, '_httpMessage');
  return message instanceof ServerResponse && message.headersSent;
}

/**
 * A request line that is valid except for an unknown method: answered with 405 rather than 400
 * (ASVS 4.1.4).
 */
const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64} [!-~]+ HTTP\/1\.[01]\r\n/;

function unparsedFault({
  code,
  rawPacket,
}: {
  code?: string | undefined;
  rawPacket?: Buffer;
}): UnparsedFault {
  if (code === 'HPE_HEADER_OVERFLOW') return 'header_too_large';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'timed_out';
  if (
    code === 'HPE_INVALID_METHOD' &&
    rawPacket !== undefined &&
    REQUEST_LINE.test(rawPacket.toString('latin1', 0, 16_384))
  )
    return 'unknown_method';
  return 'malformed';
}
