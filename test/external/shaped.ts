/** A server in the shapes of GitHub, Facebook, Apple and Microsoft: whatever a test lets it answer. */
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import type { JWTPayload } from 'jose';

export interface Asked {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly form: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** Sent as it is if it is a text, else as JSON. */
  readonly body?: unknown;
}

export interface Shaped {
  readonly url: string;
  /** What it answers, by path. */
  readonly answers: Map<string, (asked: Asked) => Answer | Promise<Answer>>;
  readonly asked: Asked[];
  /** Signed with k1, by the machine's time unless the claims say else. */
  idToken(claims: JWTPayload): Promise<string>;
  close(): Promise<void>;
}

export async function startShaped(): Promise<Shaped> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256' };
  const answers: Shaped['answers'] = new Map([['/keys', () => ({ body: { keys: [jwk] } })]]);
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? '', 'http://shaped');
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const one: Asked = {
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        form: Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString('utf8'))),
        headers: request.headers,
      };
      asked.push(one);
      const answer = (await answers.get(one.path)?.(one)) ?? { status: 404, body: {} };
      const { status = 200, headers = {}, body = '' } = answer;
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    answers,
    asked,
    idToken: (claims) => {
      const iat = Math.floor(Date.now() / 1000);
      return new SignJWT({ iat, exp: iat + 300, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
        .sign(privateKey);
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
