/**
 * One interface over the two kinds of incoming request: Node's, from one of our listeners, and a
 * web Request, when another Hono application mounts this one.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from 'hono';
import { Refusal } from '../refusal.ts';

export const MAX_BODY_BYTES = 65_536;

export interface Arrival {
  readonly method: string;
  /** The client's address, without port; null when unknown. */
  readonly address: string | null;
  /** What stands in the target behind its question mark; empty without one. */
  readonly query: string;
  /** Aborted when the client has disconnected. */
  readonly signal: AbortSignal;
  /** Whether the client has disconnected, so that no answer can be sent. */
  readonly isAbandoned: boolean;
  /** Whether unread content remains, so that the connection can't be reused. */
  readonly isUnread: boolean;
  /** True when the request may have content. `Content-Length: 0` counts as none. */
  readonly hasContent: boolean;
  /** A header by its lower-case name; repeated lines are joined with ", " where HTTP allows it. */
  header(name: string): string | undefined;
  /** How often a header occurs; joined lines of a web Request count as one. */
  headerLines(name: string): number;
  /**
   * The content, read once.
   *
   * @throws {Refusal} content_too_large, malformed_request
   */
  readContent(): Promise<Buffer>;
  /**
   * The content as it arrives, of any length; instead of {@link readContent}.
   *
   * @throws {Refusal} malformed_request: it was cut off
   */
  content(): AsyncIterable<Uint8Array>;
}

/** Returns the client's address of a request to a listener. */
export type NodeAddress = (incoming: IncomingMessage) => string | null;

/** A request of Node's HTTP server; also the environment that Hono hands to its handlers. */
export class NodeArrival implements Arrival {
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #addressOf: NodeAddress;
  /** The target's path, decoded once; null when the target or a header was refused. */
  readonly path: string | null;
  readonly method: string;
  readonly #target: string;
  #abort: AbortController | undefined;

  constructor(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    addressOf: NodeAddress,
    path: string | null,
  ) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#addressOf = addressOf;
    this.path = path;
    this.method = incoming.method ?? '';
    // Before an unusual one is simplified for the adapter.
    this.#target = incoming.url ?? '';
  }

  get query(): string {
    return queryOf(this.#target);
  }

  get address(): string | null {
    return this.#addressOf(this.#incoming);
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      this.#outgoing.on('close', () => {
        if (!this.#outgoing.writableFinished) abort.abort();
      });
    }
    return this.#abort.signal;
  }

  get isAbandoned(): boolean {
    return this.#outgoing.destroyed && !this.#outgoing.headersSent;
  }

  /** A request that announces no content is complete, though Node may report it only later. */
  get isUnread(): boolean {
    return !this.#incoming.complete && this.hasContent;
  }

  get hasContent(): boolean {
    const { headers } = this.#incoming;
    if (headers['transfer-encoding'] !== undefined) return true;
    const length = headers['content-length'];
    return length !== undefined && length !== '0';
  }

  header(name: string): string | undefined {
    const value = this.#incoming.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  headerLines(name: string): number {
    return countHeader(this.#incoming.rawHeaders, name);
  }

  content(): AsyncIterable<Uint8Array> {
    return complete(this.#incoming);
  }

  readContent(): Promise<Buffer> {
    const incoming = this.#incoming;
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BODY_BYTES) {
          incoming.removeAllListeners('data');
          incoming.resume();
          reject(new Refusal('content_too_large'));
          return;
        }
        chunks.push(chunk);
      });
      incoming.on('end', () => resolve(joined(chunks, size)));
      incoming.on('error', (cause) => reject(new Refusal('malformed_request', { cause })));
      incoming.on('close', () => {
        if (!incoming.complete) reject(cutOff());
      });
    });
  }
}

/** Returns the client's address of a request that came through another application. */
export type ClientAddress = (request: Request, environment: unknown) => string | null;

/**
 * A web Request. The server that received it has checked its framing; the checks here cover what a
 * Request still shows. Repeated headers are joined, so a duplicate fails the syntax check.
 */
export class WebArrival implements Arrival {
  readonly #context: Context;
  readonly #addressOf: ClientAddress | undefined;
  readonly method: string;
  readonly isUnread = false;
  #content: Promise<Buffer> | undefined;

  constructor(context: Context, addressOf: ClientAddress | undefined) {
    this.#context = context;
    this.#addressOf = addressOf;
    this.method = context.req.method;
  }

  get query(): string {
    return queryOf(this.#context.req.url);
  }

  get address(): string | null {
    return this.#addressOf?.(this.#context.req.raw, this.#context.env) ?? null;
  }

  get signal(): AbortSignal {
    return this.#context.req.raw.signal;
  }

  get isAbandoned(): boolean {
    return this.signal.aborted;
  }

  /** A Request made inside the process has a body and no Content-Length. */
  get hasContent(): boolean {
    if (this.method === 'GET' || this.method === 'HEAD') return false;
    const length = this.header('content-length');
    if (length !== undefined) return length !== '0';
    return this.#context.req.raw.body !== null;
  }

  header(name: string): string | undefined {
    return this.#context.req.raw.headers.get(name) ?? undefined;
  }

  headerLines(name: string): number {
    return this.header(name) === undefined ? 0 : 1;
  }

  content(): AsyncIterable<Uint8Array> {
    return complete(this.#context.req.raw.body ?? []);
  }

  readContent(): Promise<Buffer> {
    this.#content ??= this.#read();
    return this.#content;
  }

  async #read(): Promise<Buffer> {
    const { req } = this.#context;
    // A middleware before this one may have read the body; Hono caches it.
    if (req.raw.bodyUsed) return limited(Buffer.from(await req.arrayBuffer()));
    const chunks: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const chunk of req.raw.body ?? []) {
        size += chunk.length;
        if (size > MAX_BODY_BYTES) break; // which cancels the stream
        chunks.push(chunk);
      }
    } catch (cause) {
      throw cutOff(cause);
    }
    if (size > MAX_BODY_BYTES) throw new Refusal('content_too_large');
    return joined(chunks, size);
  }
}

async function* complete(
  stream: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (cause) {
    throw cutOff(cause);
  }
}

function queryOf(target: string): string {
  const mark = target.indexOf('?');
  if (mark < 0) return '';
  const hash = target.indexOf('#', mark);
  return target.slice(mark + 1, hash < 0 ? undefined : hash);
}

/** Lines of one header in Node's raw list; `name` in lower case. */
export function countHeader(rawHeaders: readonly string[], name: string): number {
  let lines = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const line = rawHeaders[i];
    if (line !== undefined && line.length === name.length && line.toLowerCase() === name) lines++;
  }
  return lines;
}

function joined(chunks: readonly Uint8Array[], size: number): Buffer {
  const [first] = chunks;
  return chunks.length === 1 && Buffer.isBuffer(first) ? first : Buffer.concat(chunks, size);
}

function limited(content: Buffer): Buffer {
  if (content.length > MAX_BODY_BYTES) throw new Refusal('content_too_large');
  return content;
}

function cutOff(cause?: unknown): Refusal {
  return new Refusal('malformed_request', { detail: 'The body was cut off.', cause });
}
