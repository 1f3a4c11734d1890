/**
 * Sockets without a request: what Node's parser refused, or what asked for a tunnel. They get one
 * answer, written by hand, and their connection ends (H08).
 */
import { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { canonicalAddress } from './requester.ts';
import type { HttpServer } from './server.ts';
import type { UnparsedFault } from './unparsed.ts';

/**
 * Answers what never became a request, in the form of any other refusal.
 */
export function refuseUnparsed(
  server: HttpServer,
  error: NodeJS.ErrnoException & { rawPacket?: Buffer },
  socket: Duplex,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  // The request was answered from its headers, and what follows them is what could not be read: one
  // answer is enough.
  if (isAnswered(socket)) endWith(socket, '');
  else endWith(socket, server.unparsed(unparsedFault(error), peerOf(socket)));
}

/** The peer's address: no header was read that could name a client behind it. */
export function peerOf(socket: Duplex): string | null {
  const address: unknown = Reflect.get(socket, 'remoteAddress');
  return typeof address === 'string' ? canonicalAddress(address) : null;
}

/** How long a last answer may lie unread on a socket that no HTTP time-out covers any more. */
const LAST_ANSWER_MS = 2_000;

/** Sends a last answer and ends the connection, whether or not the peer reads it. */
export function endWith(socket: Duplex, bytes: string): void {
  const cut = setTimeout(() => socket.destroy(), LAST_ANSWER_MS);
  cut.unref();
  socket.once('close', () => clearTimeout(cut));
  socket.end(bytes, () => socket.destroy());
}

/**
 * Whether the head of an answer that is not at its end yet has gone out; Node's own handler asks
 * the same way.
 */
function isAnswered(socket: Duplex): boolean {
  const message: unknown = Reflect.get(socket, '_httpMessage');
  return message instanceof ServerResponse && message.headersSent;
}

/**
 * A request line that is one but for its method: a method that nobody knows is a 405, not noise
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
