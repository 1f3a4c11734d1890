/** GET /metrics on listeners of its own: the public listeners never serve it (ASVS 13.4.5). */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { HttpServer } from './server.ts';

export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Answers one path, and answers invalid requests as the public server does. */
export type ListeningServer = Pick<HttpServer, 'listener' | 'unparsed' | 'acceptFailed'>;

/** @param server answers what never becomes a request */
export function metricsServer(
  server: Omit<ListeningServer, 'listener'>,
  { contentType, text }: MetricsText,
): ListeningServer {
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const { method, url } = incoming;
    if (url !== '/metrics' || (method !== 'GET' && method !== 'HEAD')) {
      outgoing.writeHead(url === '/metrics' ? 405 : 404, COMMON).end();
      return;
    }
    try {
      const body = await text();
      outgoing.writeHead(200, { ...COMMON, 'content-type': contentType }).end(body);
    } catch (error) {
      server.acceptFailed(error instanceof Error ? error : new Error('metrics failed'));
      outgoing.writeHead(500, COMMON).end();
    }
  };
  const listener: RequestListener = (incoming, outgoing) => {
    // The body is not read: the connection is closed instead of drained.
    outgoing.shouldKeepAlive = incoming.headers['content-length'] === undefined;
    void answer(incoming, outgoing);
  };
  return { ...server, listener: () => listener };
}

const COMMON = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
