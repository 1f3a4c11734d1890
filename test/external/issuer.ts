/** An OpenID Connect issuer on loopback: metadata, keys, and ID tokens with whatever is asked for. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import type { CryptoKey, JWK } from 'jose';

export interface TestIssuer {
  readonly url: string;
  /** How often its keys were asked for. */
  fetches(): number;
  /** What it answers instead, by path. */
  readonly instead: Map<
    string,
    { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> }
  >;
  /** Called before keys are sent. */
  beforeKeys: () => Promise<void>;
  /** A new key signs from now on; its public part is served when it is published. */
  rotate(published: 'now' | 'never'): Promise<void>;
  idToken(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

export const CLIENT_ID = 'shop-app';

export async function startIssuer(now: () => number): Promise<TestIssuer> {
  let fetches = 0;
  let kid = 0;
  let key: CryptoKey;
  const published: JWK[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const path = request.url ?? '';
      if (path === '/keys') {
        fetches++;
        await issuer.beforeKeys();
      }
      const { status, body, headers } = issuer.instead.get(path) ?? { status: 0 };
      if (status !== 0) return response.writeHead(status, headers).end(body);
      const document =
        path === '/keys'
          ? { keys: published }
          : {
              issuer: url,
              jwks_uri: `${url}/keys`,
              authorization_endpoint: `${url}/auth`,
              token_endpoint: `${url}/token`,
            };
      return response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify(document));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer: TestIssuer = {
    url,
    fetches: () => fetches,
    instead: new Map(),
    beforeKeys: () => Promise.resolve(),
    rotate: async (when) => {
      const pair = await generateKeyPair('ES256', { extractable: true });
      key = pair.privateKey;
      kid++;
      if (when === 'now')
        published.push({ ...(await exportJWK(pair.publicKey)), kid: `k${kid}`, alg: 'ES256' });
    },
    idToken: (claims, header = {}) => {
      const seconds = Math.floor(now() / 1000);
      const usual = { iss: url, aud: CLIENT_ID, iat: seconds, exp: seconds + 300 };
      return new SignJWT({ ...usual, ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: `k${kid}`, typ: 'JWT', ...header })
        .sign(key);
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  await issuer.rotate('now');
  return issuer;
}
