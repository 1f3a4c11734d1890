/**
 * Bytes to a socket and back: what no HTTP client would send, and what it would hide of the answer.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface RawReply {
  readonly status: number;
  /** Names in lower case; several lines of one name are joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface RawExchange {
  /** Everything that came back, as Latin-1. */
  readonly text: string;
  /** The answers in it, interim ones (1xx) left out. */
  readonly replies: readonly RawReply[];
  /** Whether the server ended the connection. */
  readonly closed: boolean;
}

export interface RawOptions {
  /** Stop after so many answers instead of waiting for the end. */
  readonly replies?: number;
  /** How long to wait, milliseconds. */
  readonly waitMs?: number;
  /** Answers to HEAD have no body whatever their length says. */
  readonly head?: boolean;
}

/** Opens a connection to the service. */
export function openSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

/**
 * Sends bytes (text is Latin-1) and reads until the server closes, enough answers came, or the time
 * is over.
 */
export async function sendRaw(
  url: string,
  bytes: string | Uint8Array,
  options: RawOptions = {},
): Promise<RawExchange> {
  const socket = await openSocket(url);
  const chunks: Buffer[] = [];
  const text = (): string => Buffer.concat(chunks).toString('latin1');
  let closed = false;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, options.waitMs ?? 20_000);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      if (
        options.replies !== undefined &&
        parseReplies(text(), options.head === true).length >= options.replies
      )
        done();
    });
    socket.on('close', () => {
      closed = true;
      done();
    });
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  });
  socket.destroy();
  return { text: text(), replies: parseReplies(text(), options.head === true), closed };
}

/** A request of these lines, with a Host and without a body. */
export function request(line: string, headers: readonly string[] = []): string {
  return [`${line} HTTP/1.1`, 'Host: auth.example.com', ...headers, '', ''].join('\r\n');
}

/**
 * The whole answers at the start of a text. Chunked ones do not occur: the service sends lengths.
 */
export function parseReplies(text: string, head = false): RawReply[] {
  const replies: RawReply[] = [];
  let rest = text;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return replies;
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1] ?? 0);
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
    }
    const length =
      head || status < 200 || status === 204 || status === 304
        ? 0
        : Number(headers['content-length'] ?? 0);
    const body = rest.slice(end + 4, end + 4 + length);
    if (body.length < length) return replies;
    if (status >= 200) replies.push({ status, headers, body });
    rest = rest.slice(end + 4 + length);
  }
}
