/**
 * Other people's libraries for JavaScript, each as its documentation sets it up: judges each line of
 * standard input, `accept` or `refuse`. ISSUER=… AUDIENCE=… node judges.mjs NAME
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const { ISSUER = '', AUDIENCE = '', ALGORITHM = 'ES256' } = process.env;
const { JWKS_URI = `${ISSUER}/.well-known/jwks.json` } = process.env;
const algorithms = [ALGORITHM];

/** @typedef {(token: string) => Promise<boolean>} Judge */

/**
 * The status of a route behind a middleware is the verdict.
 *
 * @param {{ listen(port: number, host: string): import('node:http').Server }} app
 * @returns {Promise<Judge>}
 */
async function listening(app) {
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}/`;
  return async (token) =>
    (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status === 200;
}

/** @param {import('express').Handler} middleware */
async function behindExpress(...middleware) {
  const { default: express } = await import('express');
  const app = express();
  app.use(...middleware);
  app.get('/', (_req, res) => void res.json({}));
  app.use((error, _req, res, _next) => void res.status(error.status ?? 500).json({}));
  return listening(app);
}

/** @param {(app: import('fastify').FastifyInstance) => Promise<void>} setUp */
async function behindFastify(setUp) {
  const { default: fastify } = await import('fastify');
  const app = fastify();
  await setUp(app);
  return async (token) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await app.inject({ url: '/', headers })).statusCode === 200;
  };
}

const jwksRsa = async () => (await import('jwks-rsa')).default;
const getJwks = async () =>
  (await import('get-jwks')).default({ issuersWhitelist: [ISSUER, `${ISSUER}/`] });
const client = { jwksUri: JWKS_URI, cache: true, rateLimit: true };

/** @type {Record<string, () => Promise<Judge>>} */
const JUDGES = {
  'express-oauth2-jwt-bearer': async () => {
    const { auth } = await import('express-oauth2-jwt-bearer');
    return behindExpress(
      auth({
        issuer: ISSUER,
        audience: AUDIENCE,
        jwksUri: JWKS_URI,
        tokenSigningAlg: ALGORITHM,
        strict: true,
      }),
    );
  },
  'express-jwt': async () => {
    const { expressjwt } = await import('express-jwt');
    const secret = (await jwksRsa()).expressJwtSecret(client);
    return behindExpress(expressjwt({ secret, issuer: ISSUER, audience: AUDIENCE, algorithms }));
  },
  'koa-jwt': async () => {
    const { default: Koa } = await import('koa');
    const { default: jwt } = await import('koa-jwt');
    const secret = (await jwksRsa()).koaJwtSecret(client);
    const app = new Koa();
    app.silent = true;
    app.use(jwt({ secret, issuer: ISSUER, audience: AUDIENCE, algorithms }));
    app.use((ctx) => {
      ctx.body = {};
    });
    return listening(app);
  },
  'passport-jwt': async () => {
    const { default: passport } = await import('passport');
    const { ExtractJwt, Strategy } = (await import('passport-jwt')).default;
    passport.use(
      new Strategy(
        {
          jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
          secretOrKeyProvider: (await jwksRsa()).passportJwtSecret(client),
          issuer: ISSUER,
          audience: AUDIENCE,
          algorithms,
        },
        (claims, done) => done(null, claims),
      ),
    );
    return behindExpress(passport.authenticate('jwt', { session: false }));
  },
  'fastify-jwt': async () => {
    const { default: jwt } = await import('@fastify/jwt');
    const keys = await getJwks();
    return behindFastify(async (app) => {
      await app.register(jwt, {
        decode: { complete: true },
        secret: (_request, { header: { kid, alg } }) =>
          keys.getPublicKey({ kid, alg, domain: ISSUER }),
        verify: { allowedIss: ISSUER, allowedAud: AUDIENCE, algorithms, checkTyp: 'at+jwt' },
      });
      app.get('/', { onRequest: (request) => request.jwtVerify() }, () => ({}));
    });
  },
  'fast-jwt': async () => {
    const { createVerifier } = await import('fast-jwt');
    const keys = await getJwks();
    const verify = createVerifier({
      key: ({ header: { kid, alg } }) => keys.getPublicKey({ kid, alg, domain: ISSUER }),
      algorithms,
      allowedIss: ISSUER,
      allowedAud: AUDIENCE,
      checkTyp: 'at+jwt',
      requiredClaims: ['exp', 'iss', 'aud', 'sub'],
    });
    return (token) => verify(token).then(() => true);
  },
  'fastify-jwt-jwks': async () => {
    const { default: plugin } = await import('fastify-jwt-jwks');
    return behindFastify(async (app) => {
      await app.register(plugin, { jwksUrl: JWKS_URI, audience: AUDIENCE, issuer: ISSUER });
      app.get('/', { preValidation: app.authenticate }, () => ({}));
    });
  },
  'aws-jwt-verify': async () => {
    const { JwtVerifier } = await import('aws-jwt-verify');
    const { SimpleJwksCache } = await import('aws-jwt-verify/jwk');
    // Its own fetcher speaks https alone.
    const fetcher = { fetch: async (uri) => (await fetch(uri)).arrayBuffer() };
    const verifier = JwtVerifier.create(
      { issuer: ISSUER, audience: AUDIENCE, jwksUri: JWKS_URI },
      { jwksCache: new SimpleJwksCache({ fetcher }) },
    );
    return (token) => verifier.verify(token).then(() => true);
  },
  okta: async () => {
    const { default: OktaJwtVerifier } = await import('@okta/jwt-verifier');
    const testing = { disableHttpsCheck: true };
    const verifier = new OktaJwtVerifier({ issuer: ISSUER, jwksUri: JWKS_URI, testing });
    return (token) => verifier.verifyAccessToken(token, AUDIENCE).then(() => true);
  },
  oauth4webapi: async () => {
    const oauth = await import('oauth4webapi');
    const as = { issuer: ISSUER, jwks_uri: JWKS_URI };
    const options = { [oauth.allowInsecureRequests]: true, signingAlgorithms: algorithms };
    return async (token) => {
      const headers = { authorization: `Bearer ${token}` };
      const request = new Request('http://127.0.0.1/', { headers });
      await oauth.validateJwtAccessToken(as, request, AUDIENCE, options);
      return true;
    };
  },
  'hono-jwk': () => behindHono({ typ: 'at+jwt' }),
  'hono-jwk-bare': () => behindHono({}),
};

/** @param {{ typ?: string }} more */
async function behindHono(more) {
  const { Hono } = await import('hono');
  const { jwk } = await import('hono/jwk');
  const app = new Hono();
  const verification = { iss: ISSUER, aud: AUDIENCE, ...more };
  app.use(jwk({ jwks_uri: JWKS_URI, alg: algorithms, verification }));
  app.get('/', (c) => c.json({}));
  app.onError((_, c) => c.json({}, 401));
  return async (token) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await app.request('/', { headers })).status === 200;
  };
}

const judge = await JUDGES[process.argv[2] ?? '']();
for await (const token of createInterface({ input: process.stdin })) {
  const isGood = await judge(token).catch((error) => {
    if (process.env.DEBUG) console.error(error);
    return false;
  });
  console.log(isGood ? 'accept' : 'refuse');
}
process.exit();
