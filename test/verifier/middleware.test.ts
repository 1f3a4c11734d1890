/** The middlewares in the real frameworks. */
import { serve } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requireUser as expressUser } from '../../packages/verifier/src/express.ts';
import { requireUser as fastifyUser } from '../../packages/verifier/src/fastify.ts';
import { requireUser as honoUser } from '../../packages/verifier/src/hono.ts';
import type { AuthVariables } from '../../packages/verifier/src/hono.ts';
import type { UserClaims, Verifier } from '../../packages/verifier/src/index.ts';
import type { SignedIn } from '../support/app.ts';
import { createIssuer } from './issuer.ts';
import type { Issuer } from './issuer.ts';

declare module 'fastify' {
  interface FastifyRequest {
    auth?: UserClaims | null;
  }
}

interface Running {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

const FRAMEWORKS: Readonly<Record<string, (verifier: Verifier) => Promise<Running>>> = {
  hono: async (verifier) => {
    const app = new Hono<{ Variables: AuthVariables }>();
    app.use('/api/*', honoUser(verifier));
    app.get('/api/me', (c) => c.json({ sub: c.get('auth').sub }));
    return new Promise((resolve) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
        resolve({
          url: `http://127.0.0.1:${port}`,
          stop: () => new Promise((done) => server.close(() => done())),
        }),
      );
    });
  },
  express: async (verifier) => {
    const app = express();
    app.use('/api', expressUser(verifier));
    app.get('/api/me', (_req, res) => void res.json({ sub: res.locals['auth'].sub }));
    return new Promise((resolve) => {
      const server = app.listen(0, '127.0.0.1', () => {
        const address = server.address();
        const port = typeof address === 'object' && address !== null ? address.port : 0;
        resolve({
          url: `http://127.0.0.1:${port}`,
          stop: () => new Promise((done) => server.close(() => done())),
        });
      });
    });
  },
  fastify: async (verifier) => {
    const app = fastify();
    app.decorateRequest('auth', null);
    app.addHook('onRequest', fastifyUser(verifier));
    app.get('/api/me', async (request) => ({ sub: request.auth?.sub }));
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    return { url, stop: () => app.close() };
  },
};

let issuer: Issuer;
let user: SignedIn;
beforeAll(async () => {
  issuer = await createIssuer();
  user = await issuer.app.register();
});
afterAll(() => issuer.stop());

describe.each(Object.entries(FRAMEWORKS))('%s', (_, start) => {
  let running: Running;
  let verifier: Verifier;
  beforeAll(async () => {
    verifier = issuer.verifier();
    running = await start(verifier);
  });
  afterAll(() => running.stop());

  const get = (headers: Record<string, string> = {}) => fetch(`${running.url}/api/me`, { headers });

  test('a good token comes through with its claims', async () => {
    const reply = await get({ authorization: `Bearer ${user.access}` });
    expect([reply.status, await reply.json()]).toEqual([200, { sub: user.userId }]);
  });

  test.each<[name: string, headers: Record<string, string>, code: string, challenge: string]>([
    ['no header', {}, 'missing_token', 'Bearer'],
    ['another scheme', { authorization: 'Basic YTpi' }, 'missing_token', 'Bearer'],
    ['two tokens', { authorization: 'Bearer a.b.c, Bearer a.b.c' }, 'missing_token', 'Bearer'],
    ['a bad token', { authorization: 'Bearer a.b.c' }, 'malformed', 'Bearer error="invalid_token"'],
  ])('%s: 401', async (_name, headers, code, challenge) => {
    const reply = await get(headers);
    expect([reply.status, await reply.json()]).toEqual([401, { code }]);
    expect(reply.headers.get('www-authenticate')).toBe(challenge);
    expect(reply.headers.get('cache-control')).toBe('no-store');
  });

  test('an issuer out of reach: 503', async () => {
    const own = await createIssuer();
    own.state = 'down';
    const other = await start(own.verifier());
    const reply = await fetch(`${other.url}/api/me`, {
      headers: { authorization: `Bearer ${user.access}` },
    });
    expect([reply.status, await reply.json()]).toEqual([503, { code: 'keys_unavailable' }]);
    expect(reply.headers.get('retry-after')).toBe('5');
    await other.stop();
    await own.stop();
  });
});
