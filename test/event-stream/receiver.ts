/** A system that takes events, with the manners that a test asks for. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly token: string;
  readonly type: string | undefined;
  readonly authorization: string | undefined;
}

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** What it answers, by the number of the request. */
  answer: (token: string) => { readonly status: number; readonly body?: string };
  stop(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let token = '';
    request.on('data', (chunk) => (token += String(chunk)));
    request.on('end', () => {
      const { status, body = '' } = receiver.answer(token);
      if (status === 202)
        received.push({
          token,
          type: request.headers['content-type'],
          authorization: request.headers.authorization,
        });
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/events`,
    received,
    answer: () => ({ status: 202 }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}
